import { expect } from 'chai';
import { createProber, type Prober, type Wanted } from '../../src/controller/neighbours.ts';
import { type Clock, stopTime } from '../support/clock.ts';
import { macOf } from '../support/model.ts';

const NETWORK = 'network-blue';
const ADDRESS = '10.0.0.21';
/** Coarseness of the prober's clock. */
const TICK_MS = 10;
const wanted = (parts: Partial<Wanted> = {}): Wanted => ({
  networkId: NETWORK,
  address: ADDRESS,
  mac: undefined,
  hosts: new Set(['h1', 'h2']),
  ...parts,
});

describe('the prober', () => {
  let clock: Clock;
  let prober: Prober;
  let asked: { readonly at: number; readonly host: string; readonly address: string }[];
  let learnt: (readonly [address: string, mac: string | undefined])[];

  beforeEach(() => {
    clock = stopTime();
    asked = [];
    learnt = [];
    prober = createProber({
      ask: (host, _, address) => asked.push({ at: clock.now(), host, address }),
      learnt: (_, address, mac) => learnt.push([address, mac]),
      now: clock.now,
      random: () => 0.5,
    });
  });
  afterEach(() => {
    prober.stop();
    clock.restore();
  });

  it('asks for an unknown address at once, then ever less often, through each host in turn', () => {
    prober.want([wanted()]);
    expect(asked).to.deep.equal([{ at: 0, host: 'h1', address: ADDRESS }]);
    clock.pass(60_000);
    expect(asked.slice(0, 4).map(({ host }) => host)).to.deep.equal(['h1', 'h2', 'h1', 'h2']);
    const waits = asked.slice(1).map(({ at }, i) => at - asked[i]!.at);
    expect(waits[0]).to.be.at.most(100);
    for (const [i, wait] of waits.slice(1).entries()) expect(wait).to.be.within(waits[i]!, 2 * waits[i]! + TICK_MS);
    expect(waits.at(-1)).to.be.within(5_000, 5_000 + TICK_MS);
  });

  it('tells what it learns, once', () => {
    prober.want([wanted()]);
    prober.claim(NETWORK, ADDRESS, macOf(1));
    prober.claim(NETWORK, ADDRESS, macOf(1));
    expect(learnt).to.deep.equal([[ADDRESS, macOf(1)]]);
  });

  it('follows a member that moves to another MAC', () => {
    prober.want([wanted({ mac: macOf(1) })]);
    prober.claim(NETWORK, ADDRESS, macOf(2));
    expect(learnt).to.deep.equal([[ADDRESS, macOf(2)]]);
  });

  it('ignores claims of addresses that nobody wants', () => {
    prober.want([wanted()]);
    prober.claim(NETWORK, '10.0.0.99', macOf(1));
    prober.claim('network-red', ADDRESS, macOf(1));
    prober.forget([wanted()]);
    prober.claim(NETWORK, ADDRESS, macOf(1));
    expect(learnt).to.deep.equal([]);
  });

  it('asks a member that answers every 30 seconds', () => {
    prober.want([wanted()]);
    prober.claim(NETWORK, ADDRESS, macOf(1));
    asked = [];
    clock.pass(29_000);
    expect(asked).to.deep.equal([]);
    clock.pass(1_100);
    expect(asked).to.have.length(1);
    prober.claim(NETWORK, ADDRESS, macOf(1));
    clock.pass(29_000);
    expect(asked).to.have.length(1);
  });

  it('forgets a member that leaves three questions unanswered, and goes on asking', () => {
    prober.want([wanted({ mac: macOf(1) })]);
    clock.pass(2_500);
    expect([asked.length, learnt]).to.deep.equal([3, []]);
    clock.pass(1_000);
    expect(learnt).to.deep.equal([[ADDRESS, undefined]]);
    const { length } = asked;
    clock.pass(10_000);
    expect(asked.length).to.be.above(length);
    prober.claim(NETWORK, ADDRESS, macOf(1));
    expect(learnt).to.deep.equal([
      [ADDRESS, undefined],
      [ADDRESS, macOf(1)],
    ]);
  });

  it('asks at once, when a port comes, for what is unknown, and when one goes, for what had its MAC', () => {
    const other = wanted({ address: '10.0.0.22', mac: macOf(2) });
    const third = wanted({ address: '10.0.0.23', mac: macOf(3) });
    prober.want([wanted(), other, third]);
    for (const { address, mac } of [other, third]) prober.claim(NETWORK, address, mac!);
    clock.pass(100);
    asked = [];
    prober.nudge(undefined);
    expect(asked.map(({ address }) => address)).to.deep.equal([ADDRESS]);
    asked = [];
    prober.nudge(macOf(2));
    expect(asked.map(({ address }) => address)).to.deep.equal([ADDRESS, other.address]);
  });

  it('asks once when many ports come together', () => {
    prober.want([wanted()]);
    clock.pass(3_000);
    asked = [];
    for (let port = 0; port < 100; port++) prober.nudge(undefined);
    expect(asked).to.have.length(1);
    clock.pass(30);
    expect(asked).to.have.length(2);
  });

  it('asks once more when a VM still answers whose port has just gone', () => {
    prober.want([wanted()]);
    prober.claim(NETWORK, ADDRESS, macOf(1));
    prober.recorded(NETWORK, ADDRESS, macOf(1));
    prober.nudge(macOf(1));
    prober.claim(NETWORK, ADDRESS, macOf(1));
    clock.pass(4_100);
    expect(learnt.at(-1)).to.deep.equal([ADDRESS, undefined]);
  });

  it('waits for a host that can ask', () => {
    prober.want([wanted({ hosts: new Set() })]);
    clock.pass(1_000);
    expect(asked).to.deep.equal([]);
    prober.want([wanted({ hosts: new Set(['h3']) })]);
    clock.pass(5_100);
    expect(asked.map(({ host }) => host)).to.include('h3');
  });

  it('is silent when it is stopped', () => {
    prober.want([wanted()]);
    prober.stop();
    clock.pass(60_000);
    expect(asked).to.have.length(1);
  });
});
