import { expect } from 'chai';
import fc from 'fast-check';
import { announcementFrames, lookupFrame, readClaim } from '../../src/host/packets.ts';
import { addressBytes } from '../../src/model/addresses.ts';
import { dissect } from '../support/dissect.ts';
import { requireSystem } from '../support/requirements.ts';

const MAC = '12:34:56:78:9a:bc';
const OTHER = '52:54:00:00:00:01';
const ZERO = '00:00:00:00:00:00';

const bytes = (...parts: readonly (number | string | Uint8Array)[]): Uint8Array =>
  Uint8Array.from(
    parts.flatMap((part) => {
      if (typeof part === 'number') return [part];
      if (typeof part !== 'string') return [...part];
      return part.split(':').map((octet) => Number.parseInt(octet, 16));
    }),
  );

describe('frames that look an address up', () => {
  const arp = 'Ethernet (len 6), IPv4 (len 4), Request who-has 10.0.0.21 tell 0.0.0.0, length 28';
  const cases = [
    { address: '10.0.0.21', vlan: 0, says: [`${MAC} > ff:ff:ff:ff:ff:ff, ethertype ARP (0x0806), length 42`, arp] },
    { address: '10.0.0.21', vlan: 7, says: ['ethertype 802.1Q (0x8100), length 46: vlan 7, p 0, ethertype ARP', arp] },
    {
      address: 'fd00::ab:cdef',
      vlan: 0,
      says: [
        `${MAC} > 33:33:ff:ab:cd:ef, ethertype IPv6 (0x86dd), length 86`,
        'hlim 255, next-header ICMPv6 (58) payload length: 32) fe80::1034:56ff:fe78:9abc > ff02::1:ffab:cdef',
        '[icmp6 sum ok] ICMP6, neighbor solicitation, length 32, who has fd00::ab:cdef',
        `source link-address option (1), length 8 (1): ${MAC}`,
      ],
    },
    { address: 'fd00::21', vlan: 4094, says: ['vlan 4094, p 0, ethertype IPv6', '[icmp6 sum ok]'] },
  ];
  for (const { address, vlan, says } of cases) {
    it(`are ones that tcpdump understands: ${address} in VLAN ${vlan}`, async function () {
      requireSystem(this, ['tcpdump']);
      const text = await dissect(lookupFrame(address, MAC, vlan));
      for (const part of says) expect(text).to.include(part);
    });
  }
});

describe('frames that announce an address', () => {
  const told: readonly (readonly [address: string, frames: readonly (readonly string[])[]])[] = [
    [
      '10.0.0.100',
      [
        [`${MAC} > ff:ff:ff:ff:ff:ff`, 'Request who-has 10.0.0.100 tell 10.0.0.100'],
        [`${MAC} > ff:ff:ff:ff:ff:ff`, `Reply 10.0.0.100 is-at ${MAC}`],
      ],
    ],
    [
      'fd00::100',
      [
        [
          `${MAC} > 33:33:00:00:00:01, ethertype IPv6 (0x86dd), length 86`,
          'hlim 255, next-header ICMPv6 (58) payload length: 32) fd00::100 > ff02::1',
          '[icmp6 sum ok] ICMP6, neighbor advertisement, length 32, tgt is fd00::100, Flags [override]',
          `destination link-address option (2), length 8 (1): ${MAC}`,
        ],
      ],
    ],
  ];
  for (const [address, frames] of told) {
    it(`are ones that tcpdump understands, and claim it: ${address}`, async function () {
      requireSystem(this, ['tcpdump']);
      const made = announcementFrames(address, MAC);
      expect(made).to.have.length(frames.length);
      for (const [i, one] of made.entries()) {
        const text = await dissect(one);
        for (const part of frames[i]!) expect(text).to.include(part);
        expect(readClaim(one)).to.deep.equal({ address, mac: MAC, vlan: 0 });
      }
      const tagged = announcementFrames(address, MAC, 10).map(readClaim);
      expect(tagged).to.deep.equal(made.map(() => ({ address, mac: MAC, vlan: 10 })));
    });
  }
});

interface Tagged {
  readonly vlan?: number;
}

function frame(type: number, payload: Uint8Array, { vlan }: Tagged = {}): Uint8Array {
  const tag = vlan === undefined ? bytes() : bytes(0x81, 0, 0x20 | (vlan >> 8), vlan & 255);
  return bytes(OTHER, MAC, tag, type >> 8, type & 255, payload);
}

const arp = (address: string, mac: string, init: Tagged & { readonly operation?: number } = {}) =>
  frame(
    0x0806,
    bytes(0, 1, 8, 0, 6, 4, 0, init.operation ?? 2, mac, addressBytes(address), OTHER, addressBytes('10.0.0.1')),
    init,
  );

function advertisement(address: string, options: Uint8Array, init: Tagged = {}): Uint8Array {
  const icmp = bytes(136, 0, 0, 0, 0x60, 0, 0, 0, addressBytes(address), options);
  const header = bytes(0x60, 0, 0, 0, 0, icmp.length, 58, 255, addressBytes(address), addressBytes('ff02::1'));
  return frame(0x86dd, bytes(header, icmp), init);
}

const targetIs = (mac: string) => bytes(2, 1, mac);

describe('claims in frames', () => {
  const good = [
    { what: 'an ARP reply', of: arp('10.0.0.21', OTHER), address: '10.0.0.21', vlan: 0 },
    { what: 'an ARP request', of: arp('10.0.0.21', OTHER, { operation: 1 }), address: '10.0.0.21', vlan: 0 },
    { what: 'a tagged ARP reply', of: arp('10.0.0.21', OTHER, { vlan: 0x123 }), address: '10.0.0.21', vlan: 0x123 },
    { what: 'an advertisement', of: advertisement('fd00::21', targetIs(OTHER)), address: 'fd00::21', vlan: 0 },
    { what: 'a tagged one', of: advertisement('fd00::21', targetIs(OTHER), { vlan: 7 }), address: 'fd00::21', vlan: 7 },
    {
      what: 'one whose option is not the first',
      of: advertisement('fd00::21', bytes(14, 2, new Uint8Array(14), targetIs(OTHER))),
      address: 'fd00::21',
      vlan: 0,
    },
  ];
  for (const { what, of, address, vlan } of good) {
    it(`are read from ${what}`, () => expect(readClaim(of)).to.deep.equal({ address, vlan, mac: OTHER }));
  }

  const bad: readonly (readonly [what: string, frame: Uint8Array])[] = [
    ['an ARP probe', arp('0.0.0.0', OTHER)],
    ['a group MAC', arp('10.0.0.21', '01:00:5e:00:00:01')],
    ['the broadcast MAC', advertisement('fd00::21', targetIs('ff:ff:ff:ff:ff:ff'))],
    ['a MAC of zeros', arp('10.0.0.21', ZERO)],
    ['an advertisement without the option', advertisement('fd00::21', bytes())],
    ['an option of no length', advertisement('fd00::21', bytes(14, 0, new Uint8Array(6), targetIs(OTHER)))],
    ['an option cut short', advertisement('fd00::21', targetIs(OTHER).subarray(0, 7))],
    ['ARP of another hardware', bytes(arp('10.0.0.21', OTHER).map((octet, at) => (at === 18 ? 8 : octet)))],
    ['a solicitation', lookupFrame('fd00::21', MAC, 0)],
    ['nothing', bytes()],
  ];
  for (const [what, of] of bad) it(`are none in ${what}`, () => expect(readClaim(of)).to.equal(undefined));

  it('are none in what is cut short, and never an exception', () => {
    for (const { of } of good) {
      for (let length = 0; length < of.length; length++) expect(readClaim(of.subarray(0, length))).to.equal(undefined);
    }
  });

  it('never throw, whatever the frame', () => {
    const anywhere = fc.record({
      of: fc.constantFrom(...good.map(({ of }) => of)),
      edits: fc.array(fc.record({ at: fc.nat(120), octet: fc.nat(255) }), { maxLength: 6 }),
      length: fc.nat(120),
    });
    const damaged = anywhere.map(({ of, edits, length }) => {
      const copy = of.slice(0, length);
      for (const { at, octet } of edits) if (at < copy.length) copy[at] = octet;
      return copy;
    });
    fc.assert(
      fc.property(fc.oneof(damaged, fc.uint8Array({ maxLength: 200 })), (one) => {
        const claim = readClaim(one);
        if (claim !== undefined) expect(claim.mac).to.match(/^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/);
      }),
      { numRuns: 2000 },
    );
  });
});
