import { expect } from 'chai';
import type { Store, Written } from '../../src/store/index.ts';
import { type Break, type BrokenLine, startBrokenLine } from './broken-line.ts';
import { expectSameAsScratch, type Fixture, named, shown, startFixture } from './fixture.ts';

const MEMBER = { address: '10.0.0.50', protocolPort: 80 };

describe('a write whose connection breaks', () => {
  let fixture: Fixture;
  let line: BrokenLine;
  let store: Store;
  let poolId: string;

  beforeEach(async () => {
    fixture = await startFixture();
    await fixture.store.createLoadBalancer({
      name: 'lb',
      network: 'blue',
      vips: [],
      pools: [{ algorithm: 'SOURCE_IP' }],
    });
    poolId = named(fixture.store, 'lb').pools[0]!.id;
    line = await startBrokenLine(fixture.server);
    store = await fixture.another({ remote: line.remote });
  });
  afterEach(async () => {
    await line.close();
    await fixture.stop();
  });

  const members = () => named(store, 'lb').pools[0]!.members;

  async function broken(how: Break, write: () => Promise<Written>): Promise<Written> {
    const cut = line.breakNext(how);
    const [written] = await Promise.all([write(), cut]);
    await shown(store, written.generation);
    await expectSameAsScratch(store, fixture.server);
    return written;
  }

  for (const how of ['lost answer', 'late request', 'lost request'] as const) {
    it(`creates once (${how})`, async () => {
      const before = store.model.generation;
      const { id, generation } = await broken(how, () => store.createMember(poolId, MEMBER));
      expect(members().map((member) => member.id)).to.deep.equal([id]);
      expect(store.model.generation, 'one change').to.equal(before + 1);
      expect(generation).to.equal(before + 1);
    });

    it(`deletes once (${how})`, async () => {
      const { id } = await store.createMember(poolId, MEMBER);
      const before = store.model.generation;
      expect((await broken(how, () => store.deleteMember(poolId, id))).id).to.equal(id);
      expect(members()).to.deep.equal([]);
      expect(store.model.generation, 'one change').to.equal(before + 1);
    });

    it(`changes an attribute to what was asked (${how})`, async () => {
      const { id } = await store.createMember(poolId, MEMBER);
      const before = store.model.generation;
      await broken(how, () => store.updateMember(poolId, id, { weight: 7 }));
      expect(members()[0]!.weight).to.equal(7);
      expect(store.model.generation, 'one change').to.equal(before + 1);
    });

    it(`gives a network another subnet once (${how})`, async () => {
      const { id } = named(store, 'lb').network;
      const before = store.model.generation;
      await broken(how, () => store.addSubnet(id, '10.1.0.0/24', 'more'));
      expect(store.model.networks.get(id)!.subnetNames).to.deep.equal({ '10.1.0.0/24': 'more' });
      expect(store.model.generation, 'one change').to.equal(before + 1);
    });

    it(`allocates one address (${how})`, async () => {
      const hostId = (await store.putHost({ name: 'h', remote: 'tcp:192.0.2.1:1' })).id;
      const network = named(store, 'lb').network.id;
      const cut = line.breakNext(how);
      const [[address]] = await Promise.all([store.allocateAddresses(hostId, network), cut]);
      expect(store.model.addresses).to.deep.equal([{ networkId: network, hostId, address }]);
      await expectSameAsScratch(store, fixture.server);
    });
  }
});
