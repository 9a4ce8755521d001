import { expect } from 'chai';
import fc from 'fast-check';
import { introductionFrame, readClaim } from '../../src/host/packets.ts';
import {
  type ProbeAnswer,
  type ProbePacket,
  probeFrame,
  type Route,
  readAnswer,
  TCP_FLAG,
} from '../../src/host/probe-packets.ts';
import { dissect } from '../support/dissect.ts';
import { requireSystem } from '../support/requirements.ts';

const MAC = '12:34:56:78:9a:bc';
const OTHER = '52:54:00:00:00:01';
const ROUTE4: Route = { source: '10.0.0.100', sourceMac: MAC, target: '10.0.0.21', targetMac: OTHER, vlan: 0 };
const ROUTE6: Route = { ...ROUTE4, source: 'fe80::1', target: 'fd00::21' };
const SYN: ProbePacket = {
  kind: 'tcp',
  from: 800,
  to: 80,
  seq: 0xffff_ffff,
  ack: 0,
  flags: TCP_FLAG.syn,
  data: new Uint8Array(),
};
const REQUEST: ProbePacket = {
  ...SYN,
  seq: 0,
  ack: 0x8000_0001,
  flags: TCP_FLAG.psh | TCP_FLAG.ack,
  data: Buffer.from('GET / HTTP/1.0\r\n\r\n!'),
};

describe('frames of health probes', () => {
  const cases: readonly (readonly [what: string, packet: ProbePacket, route: Route, says: readonly string[]])[] = [
    [
      'SYN',
      SYN,
      ROUTE4,
      [
        `${MAC} > ${OTHER}, ethertype IPv4`,
        '10.0.0.100.800 > 10.0.0.21.80: Flags [S]',
        '(correct), seq 4294967295, win 512, options [mss 512]',
      ],
    ],
    [
      'SYN over IPv6 in a VLAN',
      SYN,
      { ...ROUTE6, vlan: 7 },
      ['vlan 7, p 0, ethertype IPv6', 'fe80::1.800 > fd00::21.80: Flags [S]', '(correct)'],
    ],
    ['request of odd length', REQUEST, ROUTE4, ['Flags [P.]', '(correct), seq 0:19, ack 2147483649', 'length 19']],
    ['datagram', { kind: 'udp', from: 800, to: 53 }, ROUTE4, ['10.0.0.100.800 > 10.0.0.21.53: [udp sum ok]']],
    [
      'datagram over IPv6',
      { kind: 'udp', from: 800, to: 5300 },
      ROUTE6,
      ['fe80::1.800 > fd00::21.5300: [udp sum ok] UDP, length 0'],
    ],
    ['echo', { kind: 'echo', id: 801 }, ROUTE4, ['10.0.0.100 > 10.0.0.21: ICMP echo request, id 801, seq 1, length 8']],
    ['echo over IPv6', { kind: 'echo', id: 801 }, ROUTE6, ['[icmp6 sum ok] ICMP6, echo request, id 801, seq 1']],
  ];
  for (const [what, packet, route, says] of cases) {
    it(`are ones that tcpdump understands: ${what}`, async function () {
      requireSystem(this, ['tcpdump']);
      const text = await dissect(probeFrame(packet, route));
      for (const part of says) expect(text).to.include(part);
      expect(text).not.to.match(/incorrect|bad cksum|wrong/);
    });
  }

  it('are introduced to one machine alone', async function () {
    requireSystem(this, ['tcpdump']);
    const target = { address: '10.0.0.21', mac: OTHER };
    expect(await dissect(introductionFrame(ROUTE4, target)))
      .to.include(`${MAC} > ${OTHER}, ethertype ARP`)
      .and.include('who-has 10.0.0.21 tell 10.0.0.100');
    const text = await dissect(introductionFrame(ROUTE6, { ...target, address: 'fd00::21' }));
    for (const part of [`${MAC} > ${OTHER}`, 'fe80::1 > fd00::21: [icmp6 sum ok]', 'who has fd00::21', `(1): ${MAC}`])
      expect(text).to.include(part);
    expect(readClaim(introductionFrame(ROUTE4, target))).to.deep.include({ address: '10.0.0.100', mac: MAC });
  });
});

/** The member's answer, as a frame of ours turned round; an echo's type says which way it goes. */
function answered(packet: ProbePacket, route: Route): Uint8Array {
  const frame = probeFrame(packet, { ...route, source: route.target, target: route.source });
  const at = 14 + (route.vlan === 0 ? 0 : 4) + (route === ROUTE4 ? 20 : 40);
  return packet.kind === 'echo' ? frame.with(at, frame[at]! === 8 ? 0 : 129) : frame;
}

/** An ICMP error about a datagram of ours. */
function refused(route: Route): Uint8Array {
  const is4 = route === ROUTE4;
  const quoted = probeFrame({ kind: 'udp', from: 800, to: 53 }, route).subarray(14);
  const body = Uint8Array.from([...(is4 ? [3, 3] : [1, 4]), 0, 0, 0, 0, 0, 0, ...quoted]);
  const shell = answered({ kind: 'echo', id: 0 }, route).subarray(0, 14 + (is4 ? 20 : 40));
  const frame = Uint8Array.from([...shell, ...body]);
  const [lengthAt, length] = is4 ? [16, 20 + body.length] : [18, body.length];
  return frame.with(lengthAt, length >> 8).with(lengthAt + 1, length & 255);
}

describe('answers to health probes', () => {
  const answers: readonly (readonly [packet: ProbePacket, answer: ProbeAnswer])[] = [
    [SYN, SYN as ProbeAnswer],
    [
      { kind: 'udp', from: 53, to: 800 },
      { kind: 'udp', from: 53, to: 800 },
    ],
    [
      { kind: 'echo', id: 801 },
      { kind: 'echo', id: 801 },
    ],
  ];
  for (const route of [ROUTE4, ROUTE6]) {
    for (const [packet, answer] of answers) {
      it(`are read: ${packet.kind} from ${route.target}`, () => {
        const { source, answer: read } = readAnswer(answered(packet, route))!;
        expect(source).to.equal(route.target);
        expect({ ...read, data: undefined }).to.deep.equal({ ...answer, data: undefined });
      });
    }

    it(`are read: ${route.target} refuses a datagram`, () => {
      const read = readAnswer(refused(route));
      expect(read).to.deep.equal({ source: route.target, answer: { kind: 'refused', from: 800, to: 53 } });
    });
  }

  it('are read without the padding of short frames', () => {
    const frame = answered(REQUEST, ROUTE4);
    const { answer } = readAnswer(Uint8Array.from([...frame, 0, 0, 0, 0]))!;
    expect(Buffer.from((answer as { data: Uint8Array }).data).toString()).to.equal('GET / HTTP/1.0\r\n\r\n!');
  });

  it('are none when they are cut off, or anything at all', () => {
    for (const route of [ROUTE4, ROUTE6]) {
      for (const frame of [answered(SYN, route), refused(route)]) {
        for (let length = 0; length < 14 + (route === ROUTE4 ? 20 : 40) + 8; length++) {
          expect(readAnswer(frame.subarray(0, length)), `${length} bytes`).to.equal(undefined);
        }
      }
    }
    fc.assert(fc.property(fc.uint8Array({ maxLength: 120 }), (data) => void readAnswer(data)));
    const start = answered(SYN, ROUTE4).subarray(0, 24);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (data) => void readAnswer(Uint8Array.from([...start, ...data]))),
    );
  });

  it('are none when they are fragments, or questions', () => {
    const frame = answered(SYN, ROUTE4);
    expect(readAnswer(frame.with(20, 0x20))).to.equal(undefined);
    expect(readAnswer(frame.with(21, 1))).to.equal(undefined);
    expect(readAnswer(probeFrame({ kind: 'echo', id: 1 }, ROUTE4))).to.equal(undefined);
  });
});
