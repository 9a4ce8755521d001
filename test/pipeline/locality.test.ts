import { expect } from 'chai';
import type { Pool } from '../../src/model/types.ts';
import { createDesired } from '../../src/pipeline/desired.ts';
import { poolGroup } from '../../src/pipeline/ids.ts';
import { blue, member } from '../model/fixtures.ts';
import { balancerView, balancing, hostView, macOf, portView } from '../support/model.ts';
import { tally } from '../support/vm.ts';

const MEMBERS = [21, 22, 23].map((number) => member(`10.0.0.${number}`));
const neighbours = { [blue.id]: { '10.0.0.21': macOf(1), '10.0.0.22': macOf(2), '10.0.0.23': macOf(3) } };

/** How many slots each member has on a host with these ports, of a pool like this. */
function slotsOn(ports: readonly number[], attributes: Partial<Pool>): readonly number[] {
  const plain = balancing('web', MEMBERS);
  const changed: Pool = { ...plain.pools[0]!, ...attributes };
  const web = {
    ...plain,
    pools: [changed],
    listeners: plain.listeners.map((one) => ({ ...one, defaultPool: changed })),
  };
  const desired = createDesired();
  // What was there before a VM came or went must not show.
  desired.update(hostView({ balancers: [balancerView(web)], ports: [portView(9), portView(2)], neighbours }));
  const view = hostView({
    balancers: [balancerView(web)],
    ports: [9, ...ports].map((port) => portView(port)),
    neighbours,
  });
  desired.update(view);
  const group = [...desired.groups.values()].find(({ value }) => value.groupId === poolGroup(changed.key, 4))!;
  const chosen = group.value.buckets.map(({ actions }) => (actions[0] as unknown as { readonly value: number }).value);
  const counts = tally(chosen.map(String));
  return MEMBERS.map(({ key }) => counts[key] ?? 0);
}

describe('locality of members', () => {
  it('none: a host is like the others', () => {
    expect(slotsOn([1], { locality: 'none' })).to.deep.equal(slotsOn([], { locality: 'none' }));
  });

  it('prefer: members of the host count for as much more as the factor says', () => {
    expect(slotsOn([1], { locality: 'prefer', localityFactor: 2 })).to.deep.equal([128, 64, 64]);
    expect(slotsOn([1, 3], { locality: 'prefer', localityFactor: 256 })).to.satisfy(
      ([a, b, c]: readonly number[]) => b === 1 && Math.abs(a! - c!) <= 1,
    );
  });

  it('prefer: with nobody there, or everybody, it is as none', () => {
    for (const ports of [[], [1, 2, 3]]) {
      expect(slotsOn(ports, { locality: 'prefer' })).to.deep.equal(slotsOn(ports, { locality: 'none' }));
    }
  });

  it('only: nobody else serves', () => {
    expect(slotsOn([1, 2], { locality: 'only' })).to.deep.equal([128, 128, 0]);
    expect(slotsOn([], { locality: 'only' })).to.deep.equal([0, 0, 0]);
  });

  it('only: a backup serves where it is the only one on its host', () => {
    const members = MEMBERS.map((one, i) => ({ ...one, backup: i === 1 }));
    expect(slotsOn([2], { locality: 'only', members })).to.deep.equal([0, 256, 0]);
    expect(slotsOn([1, 2], { locality: 'only', members })).to.deep.equal([256, 0, 0]);
  });
});
