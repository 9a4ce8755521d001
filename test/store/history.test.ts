import { expect } from 'chai';
import fc from 'fast-check';
import { ModelError } from '../../src/model/errors.ts';
import type { LoadBalancer, Model } from '../../src/model/types.ts';
import type { ModelChange, Store } from '../../src/store/index.ts';
import { expectSameAsScratch, type Fixture, startFixture } from './fixture.ts';

/** One step: what to do, and numbers that pick its object and its values. */
type Step = readonly [action: keyof typeof ACTIONS, pick: number, value: number];

const at = <T>(list: readonly T[], pick: number): T | undefined => list[pick % list.length];
const balancers = (store: Store): readonly LoadBalancer[] => [...store.model.loadBalancers.values()];
const pools = (store: Store) => balancers(store).flatMap((one) => one.pools);
const listeners = (store: Store) => balancers(store).flatMap((one) => one.listeners);
const address = (value: number) => `10.0.1.${1 + (value % 20)}`;

const ACTIONS = {
  putNetwork: (store: Store, _: number, value: number) =>
    store.putNetwork({
      name: 'blue',
      subnets: ['10.0.0.0/16', 'fd00::/64', ...(value % 2 === 0 ? ['10.7.0.0/16'] : [])],
      balancerRanges: ['10.0.255.1-10.0.255.40'],
    }),
  putHost: (store: Store, pick: number, value: number) =>
    store.putHost({ name: `h${pick % 3}`, remote: `tcp:192.0.2.${1 + (value % 200)}:1` }),
  deleteHost: (store: Store, pick: number) => store.deleteHost(`h${pick % 3}`),
  putPort: (store: Store, pick: number, value: number) =>
    store.putPort({ ifaceId: `vm${pick % 3}`, owner: `t${value % 2}` }),
  deletePort: (store: Store, pick: number) => store.deletePort(`vm${pick % 3}`),
  createLoadBalancer: (store: Store, pick: number, value: number) =>
    store.createLoadBalancer({
      owner: `t${value % 3}`,
      network: 'blue',
      vips: [],
      listeners: [{ protocol: 'TCP', protocolPort: 80, defaultPool: { algorithm: 'SOURCE_IP' } }],
      pools: [{ algorithm: 'SOURCE_IP', members: [{ address: address(pick), protocolPort: 1 }] }],
    }),
  updateLoadBalancer: (store: Store, pick: number, value: number) =>
    store.updateLoadBalancer(at(balancers(store), pick)?.id ?? '', { name: `n${value % 3}` }),
  deleteLoadBalancer: (store: Store, pick: number) =>
    store.deleteLoadBalancer(at(balancers(store), pick)?.id ?? '', { cascade: true }),
  createListener: (store: Store, pick: number, value: number) =>
    store.createListener(at(balancers(store), pick)?.id ?? '', {
      protocol: 'TCP',
      protocolPort: 1 + (value % 9),
      defaultPool: at(at(balancers(store), pick)?.pools ?? [], value)?.id,
    }),
  deleteListener: (store: Store, pick: number) => store.deleteListener(at(listeners(store), pick)?.id ?? ''),
  deletePool: (store: Store, pick: number) => store.deletePool(at(pools(store), pick)?.id ?? ''),
  updatePool: (store: Store, pick: number, value: number) =>
    store.updatePool(at(pools(store), pick)?.id ?? '', { description: `d${value % 3}` }),
  createMember: (store: Store, pick: number, value: number) =>
    store.createMember(at(pools(store), pick)?.id ?? '', { address: address(value), protocolPort: 80 }),
  updateMember: (store: Store, pick: number, value: number) => {
    const pool = at(pools(store), pick);
    return store.updateMember(pool?.id ?? '', at(pool?.members ?? [], value)?.id ?? '', { weight: value % 257 });
  },
  deleteMember: (store: Store, pick: number, value: number) => {
    const pool = at(pools(store), pick);
    return store.deleteMember(pool?.id ?? '', at(pool?.members ?? [], value)?.id ?? '');
  },
  setBalancers: (store: Store, pick: number, value: number) =>
    store.setBalancers(
      at([...store.model.hosts.keys()], pick) ?? '',
      balancers(store)
        .filter((_, i) => (value >> i) & 1)
        .map(({ id }) => ({ loadBalancerId: id, state: 'pending' })),
    ),
  setBalancerState: (store: Store, pick: number, value: number) =>
    store.setBalancerState(at([...store.model.balancers.keys()], pick) ?? '', value % 2 === 0 ? 'ready' : 'failed'),
  setHostStatus: (store: Store, pick: number, value: number) =>
    store.setHostStatus(at([...store.model.hosts.keys()], pick) ?? '', { applied: value % 3 }),
  allocateAddresses: (store: Store, pick: number) =>
    store.allocateAddresses(at([...store.model.hosts.keys()], pick) ?? '', [...store.model.networks.keys()][0]!),
  releaseAddresses: (store: Store, pick: number) =>
    store.releaseAddresses(at([...store.model.hosts.keys()], pick) ?? '', [...store.model.networks.keys()][0]!),
} as const;

const MAPS = ['networks', 'hosts', 'ports', 'loadBalancers', 'balancers'] as const;

/** What a change says must be exactly what differs by identity, and what is the same must be shared. */
function expectHonest(change: ModelChange): void {
  for (const map of MAPS) {
    const [before, after]: readonly ReadonlyMap<string, unknown>[] = [change.previous[map], change.model[map]];
    const ids = new Set([...before!.keys(), ...after!.keys()]);
    const differing = [...ids].filter((id) => before!.get(id) !== after!.get(id));
    expect([...change[map]].sort(), map).to.deep.equal(differing.sort());
    for (const id of differing)
      expect(after!.get(id), `${map} ${id} was rebuilt for nothing`).not.to.deep.equal(before!.get(id));
  }
  expect(change.addresses).to.equal(change.previous.addresses !== change.model.addresses);
}

describe('any history', () => {
  let fixture: Fixture;
  before(async () => {
    fixture = await startFixture();
  });
  after(() => fixture.stop());

  it('leaves the model that is built from scratch, and tells each change exactly', async () => {
    const { store, server } = fixture;
    const done = new Map<string, number>();
    let last: Model = store.model;
    const steps = fc.array(
      fc.tuple(fc.constantFrom(...(Object.keys(ACTIONS) as Step[0][])), fc.nat({ max: 1000 }), fc.nat({ max: 1000 })),
      { minLength: 30, maxLength: 60 },
    );
    const problems: unknown[] = [];
    store.on('change', (change) => {
      try {
        expect(change.previous).to.equal(last);
        expectHonest(change);
      } catch (error) {
        problems.push(error);
      }
      last = change.model;
    });
    await fc.assert(
      fc.asyncProperty(steps, async (history: readonly Step[]) => {
        for (const [action, pick, value] of history) {
          try {
            await ACTIONS[action](store, pick, value);
            done.set(action, (done.get(action) ?? 0) + 1);
          } catch (error) {
            if (!(error instanceof ModelError)) throw error;
          }
        }
        if (problems.length > 0) throw problems[0];
        await expectSameAsScratch(store, server);
      }),
      { numRuns: 15, endOnFailure: true },
    );
    expect([...done.keys()], 'every action succeeded at least once').to.have.members(Object.keys(ACTIONS));
  });
});
