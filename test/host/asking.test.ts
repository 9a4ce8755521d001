/** A switch that asks the controller, on real Open vSwitch: packets are put in by hand, conntrack tells who got them. */
import { expect } from 'chai';
import type { LoadBalancer, Pool } from '../../src/model/types.ts';
import { vipMac } from '../../src/model/vip-mac.ts';
import { zonesOf } from '../../src/pipeline/ids.ts';
import { blue, member } from '../model/fixtures.ts';
import { type TCP_FLAGS, tcp } from '../support/frames.ts';
import { type Kept, makeKeeper } from '../support/keeper.ts';
import { balancerView, balancing, hostView, macOf, portView } from '../support/model.ts';
import { type Ovs, startOvs } from '../support/ovs.ts';
import { requireSystem } from '../support/requirements.ts';
import { until } from '../support/until.ts';

const SERVERS = { 4: ['10.0.0.21', '10.0.0.22', '10.0.0.23'], 6: ['fd00::21', 'fd00::22', 'fd00::23'] } as const;
const VIP = { 4: '10.0.0.100', 6: 'fd00::100' } as const;
const CLIENT = { 4: '10.0.0.1', 6: 'fd00::1' } as const;
type Family = 4 | 6;
const ZONE = `zone=${zonesOf(blue.key).service}`;

const all = [...SERVERS[4], ...SERVERS[6]].map((address) => member(address));

function web(algorithm: Pool['algorithm'], members = all): LoadBalancer {
  const of = balancing('web', members, { vips: [VIP[4], VIP[6]] });
  const pools = of.pools.map((pool) => ({ ...pool, algorithm }));
  return { ...of, pools, listeners: of.listeners.map((one) => ({ ...one, defaultPool: pools[0]! })) };
}

const viewOf = (loadBalancer: LoadBalancer) =>
  hostView({
    ports: [portView(1), portView(2)],
    balancers: [balancerView(loadBalancer)],
    neighbours: { [blue.id]: Object.fromEntries(all.map(({ address }, i) => [address, macOf(100 + i)])) },
  });

interface Packet {
  readonly family?: Family;
  readonly port: number;
  readonly flags?: keyof typeof TCP_FLAGS;
  readonly from?: 1 | 2;
}

describe('a switch that asks the controller', () => {
  let ovs: Ovs;
  let kept: Kept;

  before(function () {
    requireSystem(this);
  });
  beforeEach(async () => {
    ovs = await startOvs({ bridge: 'br0', ports: ['p1', 'p2'] });
    kept = makeKeeper(ovs.dbRemote, { bounds: { connections: { patienceMs: 0 }, valve: { mostPerPort: 60 } } });
    kept.keeper.start();
  });
  afterEach(async () => {
    const { desired, installed } = await kept.compare();
    expect(installed).to.deep.equal(desired);
    await kept.keeper.stop();
    await ovs.stop();
  });

  const leases = async () => (await ovs.ofctl('dump-flows', 'cookie=0x686c080000000000/-1')).split('\n');
  const isLeased = async () => (await leases()).some((line) => line.includes('CONTROLLER'));
  async function serve(loadBalancer: LoadBalancer): Promise<void> {
    await kept.apply(viewOf(loadBalancer));
    await until(isLeased, { what: 'the lease' });
  }

  const frame = ({ family = 4, port, flags = 'syn', from = 1 }: Packet): string =>
    tcp({
      ...{ from: macOf(from), to: vipMac('lb-web'), flags, sourcePort: port, destinationPort: 80 },
      ...{ source: CLIENT[family], destination: VIP[family], sequence: flags === 'syn' ? 0 : 1 },
    }).toString('hex');
  const put = (...packets: readonly Packet[]) =>
    ovs.appctl('netdev-dummy/receive', `p${packets[0]!.from ?? 1}`, ...packets.map(frame));

  /** Which server has the connection from each port of the client. */
  async function served(): Promise<ReadonlyMap<number, string>> {
    const lines = (await ovs.appctl('dpctl/dump-conntrack')).split('\n');
    return new Map(
      lines.flatMap((line): [number, string][] => {
        const found = /orig=\(src=[^,]+,dst=[^,]+,sport=(\d+).*reply=\(src=([^,]+),/.exec(line);
        return found === null ? [] : [[Number(found[1]), found[2]!]];
      }),
    );
  }
  /** A new connection; the number of its server, from 0. */
  async function open(packet: Packet): Promise<number> {
    await put(packet);
    const address = await until(async () => (await served()).get(packet.port), { what: `port ${packet.port} served` });
    return (SERVERS[packet.family ?? 4] as readonly string[]).indexOf(address);
  }
  async function openAll(ports: readonly number[], family: Family = 4): Promise<number[]> {
    const order: number[] = [];
    for (const port of ports) order.push(await open({ port, family }));
    return order;
  }

  for (const family of [4, 6] as const) {
    it(`gives connections in turn, IPv${family}`, async () => {
      await serve(web('ROUND_ROBIN'));
      expect(await openAll([1001, 1002, 1003, 1004, 1005, 1006], family)).to.deep.equal([0, 1, 2, 0, 1, 2]);
    });

    it(`gives a connection to who has the fewest, and hears of ends, IPv${family}`, async () => {
      await serve(web('LEAST_CONNECTIONS'));
      expect(await openAll([1001, 1002, 1003], family)).to.deep.equal([0, 1, 2]);
      await answered(1002, family);
      await put({ family, port: 1002, flags: 'fin' });
      expect(await openAll([1004, 1005], family)).to.deep.equal([1, 0]);
    });

    it(`finds that a connection is gone without a word, IPv${family}`, async () => {
      await serve(web('LEAST_CONNECTIONS'));
      expect(await openAll([1001, 1002, 1003], family)).to.deep.equal([0, 1, 2]);
      const [source, destination] = [CLIENT[family], VIP[family]];
      const tuple = `ct_${family === 4 ? 'nw' : 'ipv6'}_src=${source},ct_${family === 4 ? 'nw' : 'ipv6'}_dst=${destination}`;
      await ovs.appctl('dpctl/flush-conntrack', ZONE, `${tuple},ct_nw_proto=6,ct_tp_src=1003,ct_tp_dst=80`);
      expect([...(await served()).keys()].sort()).to.deep.equal([1001, 1002]);
      await until(async () => kept.keeper.counted === 2, { what: 'one is not counted any more' });
      expect(await openAll([1004], family)).to.deep.equal([2]);
      expect(kept.keeper.counted).to.equal(3);
    });
  }

  /** The server's answer to a first packet: with it the connection is established. */
  async function answered(port: number, family: Family): Promise<void> {
    const server = (await served()).get(port)!;
    const index = all.findIndex(({ address }) => address === server);
    const answer = tcp({
      ...{ from: macOf(100 + index), to: macOf(1), source: server, destination: CLIENT[family] },
      ...{ sourcePort: 80, destinationPort: port, acknowledges: 1 },
    });
    await ovs.appctl('netdev-dummy/receive', 'p2', answer.toString('hex'));
    await put({ family, port, flags: 'ack' });
  }

  it('does not choose twice where a first packet comes twice', async () => {
    await serve(web('ROUND_ROBIN'));
    await put({ port: 1001 }, { port: 1001 }, { port: 1001 });
    expect(await openAll([1001, 1002, 1003, 1004])).to.deep.equal([0, 1, 2, 0]);
    await put({ port: 1001 });
    expect(await openAll([1005])).to.deep.equal([1]);
  });

  it('is not given to members that may not be chosen', async () => {
    await serve(web('ROUND_ROBIN', [...all.slice(0, 2), { ...all[2]!, backup: true }]));
    expect(await openAll([1001, 1002, 1003, 1004])).to.deep.equal([0, 1, 0, 1]);
    await serve(web('ROUND_ROBIN', [{ ...all[0]!, weight: 0 }, { ...all[1]!, adminStateUp: false }, all[2]!]));
    expect(await openAll([1005, 1006])).to.deep.equal([2, 2]);
  });

  it('serves a port that asks too often by the slot table for a while, loses nothing, and others are in turn', async () => {
    await serve(web('ROUND_ROBIN'));
    let sent = 0;
    const more = async () => {
      await put(...Array.from({ length: 80 }, () => ({ port: 2000 + sent++ })));
      return (await leases()).some((line) => line.includes('actions=goto_table'));
    };
    await until(more, { what: 'the port is denied' });
    await until(async () => (await served()).size === sent, { what: 'all connections are served' });
    const order: number[] = [];
    for (const port of [1, 2, 3, 4, 5, 6]) order.push(await open({ port, from: 2 }));
    expect(order.slice(3)).to.deep.equal(order.slice(0, 3));
    expect(new Set(order).size).to.equal(3);
  });

  it('is not asked where nobody chooses, or no more', async () => {
    await kept.apply(viewOf(web('SOURCE_IP')));
    expect(await isLeased()).to.equal(false);
    await serve(web('ROUND_ROBIN'));
    await kept.apply(viewOf(web('SOURCE_IP')));
    await until(async () => !(await isLeased()), { what: 'no lease' });
  });

  it('chooses by its slot table when the controller is away', async () => {
    await serve(web('ROUND_ROBIN'));
    await kept.keeper.stop();
    await until(async () => !(await isLeased()), { what: 'no lease' });
    const chosen = await openAll(Array.from({ length: 40 }, (_, i) => 3000 + i));
    expect(new Set(chosen).size).to.equal(3);
    kept = makeKeeper(ovs.dbRemote);
    kept.keeper.start();
    await serve(web('ROUND_ROBIN'));
    expect(await openAll([1001, 1002, 1003])).to.deep.equal([0, 1, 2]);
  });
});
