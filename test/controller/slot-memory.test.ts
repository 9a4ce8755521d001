import { expect } from 'chai';
import { SLOTS } from '../../src/pipeline/slots.ts';
import { type FakeHost, Fleet, memberMac, startFakeHost } from '../support/fleet.ts';
import { until } from '../support/until.ts';

const addressOf = (number: number): string => `10.0.1.${number}`;
const spec = (number: number) => ({ address: addressOf(number), protocolPort: 80 });

describe('slot tables of a pool that changes', () => {
  let fleet: Fleet;
  let host: FakeHost;

  before(async () => {
    host = await startFakeHost('h1');
    fleet = await Fleet.start([host]);
    const { store } = fleet;
    const { id: network } = await store.putNetwork({ name: 'blue', subnets: ['10.0.0.0/16'] });
    await store.createLoadBalancer({
      ...{ name: 'web', network: 'blue', vips: ['10.0.0.100'] },
      listeners: [
        {
          ...{ protocol: 'TCP', protocolPort: 80 },
          defaultPool: { algorithm: 'SOURCE_IP_PORT', members: [1, 2, 3, 4, 5, 6, 7, 8, 9].map(spec) },
        },
      ],
    });
    const macs = Array.from({ length: 20 }, (_, i) => [addressOf(i + 1), memberMac(addressOf(i + 1))] as const);
    await store.setNeighbours(network, Object.fromEntries(macs));
    await host.plug({ name: 'vm', ofport: 1, mac: '52:54:00:00:00:01', vlan: 0, owner: '' });
    await fleet.keep(host);
  });
  after(() => fleet?.stop());

  const pool = () => [...fleet.store.model.loadBalancers.values()][0]!.pools[0]!;
  /** Key of the member of each slot, as the switch has it, when it is remembered. */
  const remembered = async (): Promise<readonly string[]> => {
    await fleet.settled();
    const slots = host.fake.groups[0]!.buckets.map(({ actions }) => JSON.stringify(actions[0]!));
    const isSo = () => {
      const texts = Object.entries([...fleet.store.model.slotTables.values()][0] ?? {});
      const members = texts.find(([name]) => name.endsWith('now'))?.[1].split(';')[0];
      return members?.split(' ').length === pool().members.length;
    };
    await until(isSo, { what: 'the state database remembers the table' });
    await fleet.settled();
    return slots;
  };
  const moved = (a: readonly string[], b: readonly string[]) => a.filter((slot, i) => slot !== b[i]).length;

  it('moves one Nth when one of N members is added or removed, and nothing else', async () => {
    let table = await remembered();
    expect(table).to.have.length(SLOTS);
    for (const number of [10, 11, 12]) {
      await fleet.store.createMember(pool().id, spec(number));
      const next = await remembered();
      expect(moved(table, next), `added as ${number}th`).to.be.within(1, Math.ceil(SLOTS / number));
      table = next;
    }
    for (const left of [11, 10, 9]) {
      await fleet.store.deleteMember(pool().id, pool().members[left % 3]!.id);
      const next = await remembered();
      expect(moved(table, next), `removed, leaves ${left}`).to.be.within(1, Math.ceil(SLOTS / (left + 1)));
      table = next;
    }
  });
});
