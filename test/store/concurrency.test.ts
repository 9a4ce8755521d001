import { expect } from 'chai';
import type { Store } from '../../src/store/index.ts';
import { StoreError } from '../../src/store/index.ts';
import { expectModelRejection } from '../model/model-error.ts';
import { expectSameAsScratch, type Fixture, named, rejection, shown, startFixture } from './fixture.ts';

const WRITERS = 50;
const numbers = Array.from({ length: WRITERS }, (_, i) => i);

describe('concurrent writers', () => {
  let fixture: Fixture;
  let stores: readonly [Store, Store];

  before(async () => {
    fixture = await startFixture();
    stores = [fixture.store, await fixture.another()];
  });
  after(() => fixture.stop());
  afterEach(async () => {
    for (const store of stores) await expectSameAsScratch(store, fixture.server);
  });

  it('lose no member of one pool, over two stores with 50 writers each', async () => {
    const [store] = stores;
    await store.createLoadBalancer({ name: 'busy', network: 'blue', vips: [], pools: [{ algorithm: 'SOURCE_IP' }] });
    await shown(stores[1], store.model.generation);
    const before = store.model.generation;
    const poolId = named(store, 'busy').pools[0]!.id;
    const written = await Promise.all(
      stores.flatMap((one, s) =>
        numbers.map((n) => one.createMember(poolId, { address: `10.0.${s}.${n + 1}`, protocolPort: 80 })),
      ),
    );
    await shown(store, before + 2 * WRITERS);
    const { pools, generation } = named(store, 'busy');
    expect(pools[0]!.members.map(({ id }) => id)).to.have.members(written.map(({ id }) => id));
    expect(new Set(pools[0]!.members.map(({ key }) => key)).size).to.equal(2 * WRITERS);
    expect(
      written.map((one) => one.generation).sort((a, b) => a - b),
      'one number each, without gaps',
    ).to.deep.equal(Array.from({ length: 2 * WRITERS }, (_, i) => before + 1 + i));
    expect(generation).to.equal(before + 2 * WRITERS);
  });

  it('cannot both have one VIP, or one listener port', async () => {
    const results = await Promise.allSettled(
      [...stores, ...stores].map((one, i) =>
        one.createLoadBalancer({ name: `c${i}`, network: 'blue', vips: ['10.0.7.7'] }),
      ),
    );
    const won = results.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    expect(won).to.have.length(1);
    for (const one of results) if (one.status === 'rejected') expect(one.reason).to.include({ code: 'conflict' });
    await Promise.all(stores.map((one) => shown(one, won[0]!.generation)));
    const ports = await Promise.allSettled(
      stores.map((one) => one.createListener(won[0]!.id, { protocol: 'TCP', protocolPort: 80 })),
    );
    expect(ports.map(({ status }) => status)).to.have.members(['fulfilled', 'rejected']);
    await shown(stores[0], won[0]!.generation + 1);
    await shown(stores[1], won[0]!.generation + 1);
    expect(stores[1].model.loadBalancers.get(won[0]!.id)!.listeners).to.have.length(1);
  });

  it('show a write to who made it before it is answered', async () => {
    for (const store of stores) {
      const { id, generation } = await store.createLoadBalancer({ network: 'blue', vips: [] });
      expect(store.model.generation).to.be.at.least(generation);
      expect(store.model.loadBalancers.has(id)).to.equal(true);
    }
  });

  it('give 20 hosts 20 addresses at once', async () => {
    const [store] = stores;
    const network = named(store, 'busy').network.id;
    const hosts = await Promise.all(
      numbers.slice(0, 20).map((n) => store.putHost({ name: `h${n}`, remote: `tcp:192.0.2.${n}:1` })),
    );
    await shown(stores[1], store.model.generation);
    // Both stores ask for every host: a host still gets one.
    const given = await Promise.all(
      stores.map((one) => Promise.all(hosts.map(({ id }) => one.allocateAddresses(id, network)))),
    );
    expect(given[0]).to.deep.equal(given[1]);
    expect(new Set(given[0]!.flat()).size).to.equal(20);
    expect(fixture.store.model.addresses).to.have.length(20);
  });

  it('make one balancer per host and load balancer', async () => {
    const [store] = stores;
    const hostId = [...store.model.hosts.keys()][0]!;
    const wanted = [...store.model.loadBalancers.keys()].map((loadBalancerId) => ({
      loadBalancerId,
      state: 'pending' as const,
    }));
    await Promise.all(stores.map((one) => one.setBalancers(hostId, wanted)));
    expect(store.model.balancers.size).to.equal(wanted.length);
  });

  it('cannot shrink the ranges under an address that is being given', async () => {
    const [store, other] = stores;
    const spec = { name: 'race', vlan: 77, subnets: ['10.77.0.0/24'] };
    const { id, generation } = await store.putNetwork({ ...spec, balancerRanges: ['10.77.0.9'] });
    await shown(other, generation);
    const hostId = [...store.model.hosts.keys()][0]!;
    const [shrunk, given] = await Promise.allSettled([store.putNetwork(spec), other.allocateAddresses(hostId, id)]);
    expect([shrunk.status, given.status]).to.have.members(['fulfilled', 'rejected']);
    const { code } = (shrunk.status === 'rejected' ? shrunk : (given as PromiseRejectedResult)).reason as {
      code: string;
    };
    expect(code).to.equal('conflict');
  });

  it('number an empty database once, however many start on it', async () => {
    const fresh = await startFixture();
    try {
      await Promise.all(numbers.slice(0, 5).map(() => fresh.another()));
      expect(await fresh.server.client('dump', 'Hostlb', 'Hostlb', 'generation')).to.match(/\n1\n*$/);
    } finally {
      await fresh.stop();
    }
  });

  it('are told at once when there is no database', async () => {
    const store = await fixture.another();
    await store.stop();
    const error = await rejection(store.putHost({ name: 'x', remote: 'tcp:192.0.2.3:1' }));
    expect(error).to.be.instanceOf(StoreError).with.property('code', 'unavailable');
    await expectModelRejection(stores[0].deleteHost('x'), { code: 'not-found', message: 'x' });
  });
});
