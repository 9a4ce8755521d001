import { expect } from 'chai';
import {
  type AnnouncementToVm,
  type Announcer,
  announcements,
  createAnnouncer,
} from '../../src/controller/announcer.ts';
import { vipMac } from '../../src/model/vip-mac.ts';
import { loadBalancer, red } from '../model/fixtures.ts';
import { type Clock, stopTime } from '../support/clock.ts';
import { balancerView, clientPort, macOf } from '../support/model.ts';

const INTERVAL_MS = 30_000;
const one = (ofport: number, parts: Partial<AnnouncementToVm> = {}): AnnouncementToVm => ({
  ...{ ofport, portMac: macOf(ofport), vip: '10.0.0.100', vipMac: macOf(999) },
  ...parts,
});
const many = (count: number, first = 1) => Array.from({ length: count }, (_, i) => one(first + i));

describe('the announcer', () => {
  let clock: Clock;
  let announcer: Announcer;
  let sent: { readonly at: number; readonly ofports: readonly number[] }[];
  const ports = () => sent.flatMap(({ ofports }) => ofports);
  const times = () => sent.map(({ at }) => at);

  beforeEach(() => {
    clock = stopTime();
    sent = [];
    announcer = createAnnouncer({
      intervalMs: INTERVAL_MS,
      send: (batch) => sent.push({ at: clock.now(), ofports: batch.map(({ ofport }) => ofport) }),
      random: () => 0.5,
    });
  });
  afterEach(() => {
    announcer.stop();
    clock.restore();
  });

  it('tells a VM at once, once more a moment later, and then every interval', () => {
    announcer.want([one(1)]);
    expect(times()).to.deep.equal([0]);
    clock.pass(2 * INTERVAL_MS + 1_000);
    expect(times()).to.deep.equal([0, 2_000, INTERVAL_MS, 2 * INTERVAL_MS]);
  });

  it('does not tell again what stays as it is', () => {
    announcer.want([one(1)]);
    announcer.want([one(1)]);
    announcer.want([one(1), one(2)]);
    clock.pass(100);
    expect(ports()).to.deep.equal([1, 2]);
  });

  const changes = [
    { what: 'another VM on the port', parts: { portMac: macOf(77) } },
    { what: 'another VIP', parts: { vip: '10.0.0.101' } },
    { what: 'another MAC', parts: { vipMac: macOf(998) } },
  ];
  for (const { what, parts } of changes) {
    it(`tells at once when there is ${what}`, () => {
      announcer.want([one(1)]);
      clock.pass(5_000);
      announcer.want([one(1, parts)]);
      clock.pass(100);
      expect(times()).to.deep.equal([0, 2_000, 5_000]);
    });
  }

  it('tells nothing to those who are gone', () => {
    announcer.want([one(1), one(2)]);
    announcer.want([one(2)]);
    clock.pass(2 * INTERVAL_MS);
    expect(ports().slice(2)).to.deep.equal([2, 2, 2]);
    announcer.want([]);
    clock.pass(2 * INTERVAL_MS);
    expect(ports()).to.have.length(5);
  });

  it('is never faster than a thousand in a second, and what is new goes first', () => {
    announcer.want(many(5_000));
    clock.pass(1_000);
    announcer.want([...many(5_000), one(9_999)]);
    // All the first announcements before any second one.
    clock.pass(4_100);
    expect(new Set(ports()).size).to.equal(5_001);
    for (let from = 0; from <= 4_100; from += 100) {
      const window = sent.filter(({ at }) => at >= from && at < from + 1_000);
      expect(window.flatMap(({ ofports }) => ofports).length, `from ${from} ms`).to.be.within(900, 1_020);
    }
  });

  it('is no faster when things come one by one', () => {
    for (let count = 1; count <= 200; count++) announcer.want(many(count));
    expect(ports()).to.have.length(1);
    clock.pass(100);
    expect(ports().length).to.be.at.most(1 + 100);
    clock.pass(200);
    expect(ports()).to.deep.equal(many(200).map(({ ofport }) => ofport));
  });

  it('puts off rounds for which there is no time, instead of piling them up', () => {
    announcer.want(many(40_000));
    clock.pass(3 * INTERVAL_MS);
    const before = ports().length;
    announcer.want(many(1));
    clock.pass(5_000);
    expect(ports().length - before).to.be.at.most(2);
  });

  it('is silent when it is stopped', () => {
    announcer.want(many(100));
    announcer.stop();
    clock.pass(INTERVAL_MS * 2);
    expect(ports()).to.have.length(20);
  });
});

describe('what is announced', () => {
  const lb = loadBalancer('web', { owner: 'acme', lookupMode: 'announce', vips: ['10.0.0.100', 'fd00::100'] });
  const outside = { ...lb, placement: 'namespace' } as const;
  const client = clientPort('a', { ofport: 3, effectiveOwner: 'acme' });
  const told = (...args: Parameters<typeof announcements>) =>
    [...announcements(...args)].map(({ ofport, vip }) => `${vip} to ${ofport}`);
  const BOTH = ['10.0.0.100 to 3', 'fd00::100 to 3'];

  it('is each VIP, with the MAC that lookups are answered with, to each VM that may use it', () => {
    const others = [clientPort('s', { effectiveOwner: 'zeta' }), clientPort('r', { network: red })];
    expect([...announcements([balancerView(lb)], [client, ...others])]).to.deep.equal(
      lb.vips.map((vip) => ({ ofport: 3, portMac: macOf(3), vip, vipMac: vipMac(lb.id) })),
    );
  });

  it('is nothing in other lookup modes', () => {
    for (const lookupMode of ['respond', 'static'] as const) {
      expect(told([balancerView({ ...lb, lookupMode })], [client])).to.deep.equal([]);
    }
  });

  it('is nothing before somebody serves', () => {
    expect(told([balancerView(outside, { state: 'new', plug: 1 })], [client])).to.deep.equal([]);
    expect(told([balancerView(outside, { state: 'ready', plug: 1 })], [client])).to.deep.equal(BOTH);
    expect(told([balancerView(outside, { state: 'broken', plug: 1 })], [client])).to.deep.equal(BOTH);
  });
});
