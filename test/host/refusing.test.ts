/** New connections that the controller refuses: when, and with what. */
import { expect } from 'chai';
import { createAsking } from '../../src/host/asking.ts';
import { refusalFrame } from '../../src/host/refusal-packets.ts';
import { createRefusing, MOMENT_MS } from '../../src/host/refusing.ts';
import type { LoadBalancer } from '../../src/model/types.ts';
import type { Body, PacketIn } from '../../src/openflow/index.ts';
import { createDesired } from '../../src/pipeline/desired.ts';
import { cookieOf, poolGroup } from '../../src/pipeline/ids.ts';
import { TABLES } from '../../src/pipeline/tables.ts';
import { blue, member } from '../model/fixtures.ts';
import { dissect } from '../support/dissect.ts';
import { type TCP_FLAGS, tcp, udp } from '../support/frames.ts';
import { balancerView, balancing, hostView, macOf, portView } from '../support/model.ts';

const ENDS = { 4: ['10.0.0.11', '10.0.0.100'], 6: ['fd00::11', 'fd00::100'] } as const;
const MACS = { from: macOf(1), to: macOf(2) };

const segment = (family: 4 | 6, flags: keyof typeof TCP_FLAGS = 'syn') => {
  const [source, destination] = ENDS[family];
  const ports = { sourcePort: 1234, destinationPort: 80 };
  return tcp({ ...MACS, source, destination, ...ports, flags, sequence: 0xffff_fffe });
};

describe('a refusal', () => {
  for (const family of [4, 6] as const) {
    const [source, destination] = ENDS[family];

    it(`of TCP is a reset that acknowledges the first packet, IPv${family}`, async () => {
      const said = await dissect(refusalFrame(segment(family))!);
      expect(said).to.contain(`${MACS.to} > ${MACS.from}`).and.to.contain(`${destination}.80 > ${source}.1234`);
      expect(said).to.contain('Flags [R.]').and.to.contain('ack 4294967295').and.to.contain('(correct)');
    });

    it(`of UDP is an ICMP error that quotes the datagram, IPv${family}`, async () => {
      const said = await dissect(refusalFrame(udp({ ...MACS, source, destination, port: 53 }))!);
      expect(said)
        .to.contain(`${destination} > ${source}`)
        .and.to.match(/udp port 53 unreachable|unreachable port, \S+ udp port 53/);
      expect(said)
        .to.contain(family === 4 ? `${source}.53 > ${destination}.53` : '[icmp6 sum ok]')
        .and.not.to.match(/wrong|bad|incorrect/i);
    });

    it(`is none of what is under way, cut short or from no single machine, IPv${family}`, () => {
      for (const flags of ['answer', 'ack', 'fin', 'rst'] as const) {
        expect(refusalFrame(segment(family, flags)), flags).to.equal(undefined);
      }
      const whole = segment(family);
      const length = 14 + (family === 4 ? 20 : 40) + 20;
      for (let end = 0; end < length; end++) expect(refusalFrame(whole.subarray(0, end)), `${end}`).to.equal(undefined);
      const group = Buffer.from(whole);
      group[6] = 1;
      expect(refusalFrame(group)).to.equal(undefined);
    });
  }
});

describe('refusing', () => {
  const clock = { now: 0 };
  let sent: Body[];
  let refusing: ReturnType<typeof createRefusing>;
  let desired: ReturnType<typeof createDesired>;
  beforeEach(() => {
    clock.now = 0;
    sent = [];
    refusing = createRefusing({ send: async (messages) => void sent.push(...messages), now: () => clock.now });
    desired = createDesired();
  });

  const plain = balancing('web', []);
  const group = poolGroup(plain.pools[0]!.key, 4);
  function show(loadBalancer: LoadBalancer): void {
    const neighbours = { [blue.id]: { '10.0.0.21': macOf(21) } };
    const view = hostView({ ports: [portView(1)], balancers: [balancerView(loadBalancer)], neighbours });
    refusing.setView(view, desired.update(view).groups);
  }
  function withMembers(...addresses: readonly string[]): LoadBalancer {
    const pool = { ...plain.pools[0]!, members: addresses.map((address) => member(address)) };
    return { ...plain, pools: [pool], listeners: plain.listeners.map((one) => ({ ...one, defaultPool: pool })) };
  }
  const packet = (parts: Partial<PacketIn> = {}): PacketIn =>
    ({
      ...{ cookie: cookieOf('host', 0), tableId: TABLES.reject, inPort: 1, data: segment(4) },
      ...{ match: { in_port: 1, reg7: group } },
      ...parts,
    }) as PacketIn;
  /** How many refusals one more first packet leads to. */
  function refusals(parts: Partial<PacketIn> = {}): number {
    const before = sent.length;
    expect(refusing.take(packet(parts))).to.equal(true);
    return sent.length - before;
  }

  it('waits a moment after a pool has become empty or was changed', () => {
    show(withMembers('10.0.0.21'));
    clock.now = 10_000;
    show(plain);
    expect(refusals()).to.equal(0);
    clock.now += MOMENT_MS - 1;
    expect(refusals()).to.equal(0);
    clock.now += 1;
    expect(refusals()).to.equal(1);
    expect(sent[0]).to.deep.include({ kind: 'packet_out', actions: [{ kind: 'output', port: 1, maxLen: 0 }] });
    // A member that has still to be found.
    show(withMembers('10.0.0.22'));
    expect(refusals()).to.equal(0);
    clock.now += MOMENT_MS;
    expect(refusals()).to.equal(1);
  });

  it('ends when a member can serve', () => {
    show(plain);
    clock.now = MOMENT_MS;
    expect(refusals()).to.equal(1);
    show(withMembers('10.0.0.21'));
    expect(refusals()).to.equal(0);
  });

  it('is of first packets for such pools only', () => {
    show(plain);
    clock.now = MOMENT_MS;
    expect(refusals({ match: { in_port: 1, reg7: group + 2 } } as Partial<PacketIn>)).to.equal(0);
    expect(refusals({ data: segment(4, 'ack') })).to.equal(0);
    expect(refusals({ data: new Uint8Array(3) })).to.equal(0);
    expect(refusing.take(packet({ tableId: TABLES.choose }))).to.equal(false);
    expect(refusing.take(packet({ cookie: 1n }))).to.equal(false);
  });

  it('is left to the slot table where the controller would choose', () => {
    const asking = createAsking({ send: async (messages) => void sent.push(...messages) });
    expect(asking.take(packet({ cookie: cookieOf('host', 0), tableId: TABLES.choose }))).to.equal(true);
    const [answer] = sent as Extract<Body, { kind: 'packet_out' }>[];
    expect(answer!.actions).to.deep.equal([
      { kind: 'set_field', field: 'reg7', value: group },
      { kind: 'resubmit_table', inPort: 0xfff8, tableId: TABLES.slots },
    ]);
  });
});
