import { expect } from 'chai';
import fc from 'fast-check';
import { ModelError } from '../../src/model/errors.ts';
import type { NetworkSpec, Store } from '../../src/store/index.ts';
import { expectModelRejection } from '../model/model-error.ts';
import { type Fixture, modelFromScratch, startFixture, until } from './fixture.ts';

describe("hosts' own addresses", () => {
  let fixture: Fixture;
  let hosts: readonly string[];

  before(async () => {
    fixture = await startFixture();
    const names = ['h1', 'h2', 'h3', 'h4', 'h5', 'h6'];
    const written = await Promise.all(names.map((name) => fixture.store.putHost({ name, remote: `unix:/${name}` })));
    hosts = written.map(({ id }) => id);
  });
  after(() => fixture.stop());

  const given: readonly (readonly [what: string, spec: Omit<NetworkSpec, 'name'>, first: readonly string[]])[] = [
    ['IPv4 from its range', { subnets: ['10.1.0.0/24'], balancerRanges: ['10.1.0.5'] }, ['10.1.0.5']],
    ['IPv4 alone beside a /64', { subnets: ['10.1.0.0/24', 'fd01::/64'], balancerRanges: ['10.1.0.5'] }, ['10.1.0.5']],
    ['IPv4 alone beside a /80', { subnets: ['10.1.0.0/24', 'fd01::/80'], balancerRanges: ['10.1.0.5'] }, ['10.1.0.5']],
    [
      'both where both have ranges',
      { subnets: ['10.1.0.0/24', 'fd01::/64'], balancerRanges: ['fd01::5-fd01::9', '10.1.0.5'] },
      ['10.1.0.5', 'fd01::5'],
    ],
    ['IPv6 from its range', { subnets: ['fd01::/64'], balancerRanges: ['fd01::-fd01::9'] }, ['fd01::1']],
    ['none in a /64 without a range', { subnets: ['fd01::/64'] }, []],
  ];
  for (const [what, spec, addresses] of given) {
    it(`are ${what}`, async () => {
      const { store } = fixture;
      const { id } = await store.putNetwork({ name: 'n', vlan: 1, ...spec });
      expect(await store.allocateAddresses(hosts[0]!, id)).to.deep.equal(addresses);
      expect(await store.allocateAddresses(hosts[0]!, id), 'again').to.deep.equal(addresses);
      expect(store.model.addresses.map(({ address }) => address)).to.have.members(addresses);
      await store.releaseAddresses(hosts[0]!, id);
      expect(store.model.addresses).to.deep.equal([]);
      await store.deleteNetwork('n');
    });
  }

  const refused: readonly (readonly [what: string, spec: Omit<NetworkSpec, 'name'>, message: string])[] = [
    [
      'IPv4 without a range',
      { subnets: ['10.1.0.0/24'] },
      'no free IPv4 address in its balancer ranges (there are none)',
    ],
    [
      'IPv4 with a range of IPv6 alone',
      { subnets: ['10.1.0.0/24', 'fd01::/64'], balancerRanges: ['fd01::5'] },
      'no free IPv4 address in its balancer ranges (there are none)',
    ],
    [
      'a /80 without a range',
      { subnets: ['fd01::/80'] },
      'no free IPv6 address in its balancer ranges (there are none)',
    ],
    [
      'an exhausted IPv6 range',
      { subnets: ['10.1.0.0/24', 'fd01::/64'], balancerRanges: ['10.1.0.5-10.1.0.9', 'fd01::'] },
      'no free IPv6 address in its balancer ranges (fd01::): 0 are given to hosts',
    ],
  ];
  for (const [what, spec, message] of refused) {
    it(`are refused for ${what}, and none is given`, async () => {
      const { store } = fixture;
      const { id } = await store.putNetwork({ name: 'n', vlan: 1, ...spec });
      await expectModelRejection(store.allocateAddresses(hosts[0]!, id), { code: 'conflict', message });
      expect(store.model.addresses).to.deep.equal([]);
      await store.deleteNetwork('n');
    });
  }

  it('are complete again when a range is added for the other family', async () => {
    const { store } = fixture;
    const spec = { name: 'n', vlan: 1, subnets: ['10.1.0.0/24', 'fd01::/64'] };
    const { id } = await store.putNetwork({ ...spec, balancerRanges: ['10.1.0.5'] });
    await store.allocateAddresses(hosts[0]!, id);
    await store.putNetwork({ ...spec, balancerRanges: ['10.1.0.5', 'fd01::7'] });
    expect(await store.allocateAddresses(hosts[0]!, id)).to.deep.equal(['10.1.0.5', 'fd01::7']);
    await store.releaseAddresses(hosts[0]!, id);
    await store.deleteNetwork('n');
  });

  it('are never given twice, whatever two stores ask for at once', async () => {
    const stores = [fixture.store, await fixture.another()] as const;
    const { id: network, generation } = await fixture.store.putNetwork({
      ...{ name: 'scarce', vlan: 2, subnets: ['10.2.0.0/24', 'fd02::/64'] },
      balancerRanges: ['10.2.0.1-10.2.0.4', 'fd02::1-fd02::4'],
    });
    await until(stores[1], (model) => model.generation >= generation);
    /** Steps of one round run at the same time, each in one of the stores. */
    const step = fc.record({ by: fc.nat({ max: 1 }), host: fc.nat({ max: 5 }), gives: fc.boolean() });
    const rounds = fc.array(fc.array(step, { minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 4 });
    let exhausted = 0;
    const run = async (store: Store, host: string, gives: boolean) => {
      if (!gives) return store.releaseAddresses(host, network);
      try {
        expect(await store.allocateAddresses(host, network)).to.have.length(2);
      } catch (error) {
        if (!(error instanceof ModelError)) throw error;
        expect(error.code).to.equal('conflict');
        exhausted++;
      }
    };
    await fc.assert(
      fc.asyncProperty(rounds, async (all) => {
        for (const round of all) {
          await Promise.all(round.map(({ by, host, gives }) => run(stores[by as 0 | 1], hosts[host]!, gives)));
          const { addresses } = await modelFromScratch(fixture.server.unix);
          const held = addresses.filter((row) => row.networkId === network);
          expect(new Set(held.map(({ address }) => address)).size, 'no address twice').to.equal(held.length);
          for (const host of hosts) {
            const own = held.filter((row) => row.hostId === host);
            expect(own.length, 'one per family, or none').to.be.oneOf([0, 2]);
          }
        }
      }),
      { numRuns: 25, endOnFailure: true },
    );
    expect(exhausted, 'the ranges were exhausted at times').to.be.greaterThan(0);
  });
});
