/** The law of the index: handed from one snapshot to the next, it answers as one that is made anew. */
import { expect } from 'chai';
import fc from 'fast-check';
import { carryIndex, loadBalancersAt, vipHolder } from '../../src/model/load-balancer-index.ts';
import type { LoadBalancer } from '../../src/model/types.ts';
import { blue, loadBalancer, member, pool, red } from './fixtures.ts';

const ADDRESSES = ['10.0.0.1', '10.0.0.2', '10.0.0.3', 'fd00::1'];
const IDS = ['a', 'b', 'c'];
const address = fc.constantFrom(...ADDRESSES);
const change = fc.record({
  id: fc.constantFrom(...IDS),
  isGone: fc.boolean(),
  network: fc.constantFrom(blue, red),
  vips: fc.uniqueArray(address, { maxLength: 2 }),
  members: fc.array(fc.record({ at: address, monitored: fc.option(address, { nil: undefined }) }), { maxLength: 3 }),
});

type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

function made({ id, network, vips, members }: Change): LoadBalancer {
  const own = members.map(({ at, monitored }) => ({ ...member(at), monitorAddress: monitored }));
  return { ...loadBalancer(id, { network, vips, pools: [pool(`${id}-pool`, own)] }), id };
}

describe('load balancers by address', () => {
  it('are found after any changes, as VIPs and as what members are spoken to at', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 12 }), (changes) => {
        let all: ReadonlyMap<string, LoadBalancer> = new Map();
        loadBalancersAt(all, blue.id, '10.0.0.1');
        for (const one of changes) {
          const next = new Map(all);
          if (one.isGone) next.delete(one.id);
          else next.set(one.id, made(one));
          carryIndex(all, next, [one.id]);
          all = next;
          for (const network of [blue, red]) for (const at of ADDRESSES) agrees(all, network.id, at);
        }
      }),
      { numRuns: 100 },
    );
  });

  function agrees(all: ReadonlyMap<string, LoadBalancer>, networkId: string, at: string): void {
    const there = [...all.values()].filter(({ network }) => network.id === networkId);
    const asVip = there.filter(({ vips }) => vips.includes(at));
    const asMember = there.filter(({ pools }) =>
      pools.some(({ members }) => members.some((one) => one.address === at || one.monitorAddress === at)),
    );
    expect(loadBalancersAt(all, networkId, at)).to.have.members([...new Set([...asVip, ...asMember])]);
    expect(vipHolder(all, networkId, at)).to.be.oneOf(asVip.length > 0 ? asVip : [undefined]);
  }
});
