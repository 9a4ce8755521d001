/** The parts of a switch that asks: whose a packet is, which connections are counted, and how often it may ask. */
import { expect } from 'chai';
import { type Counted, createConnections } from '../../src/host/connections.ts';
import { type Ends, readEnds, reversed } from '../../src/host/ends.ts';
import { createValve } from '../../src/host/valve.ts';
import { createChooser } from '../../src/pipeline/choosers.ts';
import { tcp, udp } from '../support/frames.ts';
import { macOf } from '../support/model.ts';

describe('ends of a packet', () => {
  const between = { sourcePort: 1234, destinationPort: 80 };
  for (const [source, destination] of [
    ['10.0.0.1', '10.0.0.100'],
    ['fd00::1', 'fd00::100'],
  ] as const) {
    for (const vlan of [0, 7]) {
      it(`are read: ${source}, VLAN ${vlan}`, () => {
        const frame = tcp({ from: macOf(1), vlan, source, destination, ...between });
        expect(readEnds(frame)).to.deep.equal({ protocol: 6, source, destination, ...between });
        const datagram = udp({ from: macOf(1), vlan, source, destination, port: 53 });
        expect(readEnds(datagram)).to.include({ protocol: 17, sourcePort: 53, destinationPort: 53 });
      });
    }

    it(`are not read of a packet that is cut anywhere before them: ${source}`, () => {
      const frame = tcp({ from: macOf(1), source, destination, ...between });
      const whole = source.includes(':') ? 14 + 40 + 4 : 14 + 20 + 4;
      for (let length = 0; length < whole; length++) expect(readEnds(frame.subarray(0, length))).to.equal(undefined);
      expect(readEnds(frame.subarray(0, whole))).to.include(between);
    });
  }

  it('are not read of later fragments and of other protocols', () => {
    const frame = Buffer.from(tcp({ from: macOf(1), source: '10.0.0.1', destination: '10.0.0.2', ...between }));
    frame[14 + 7] = 1;
    expect(readEnds(frame)).to.equal(undefined);
    expect(readEnds(Buffer.alloc(64))).to.equal(undefined);
  });

  it('can be seen from the other side', () => {
    const ends = { protocol: 6, source: 'a', destination: 'b', ...between };
    expect(reversed(reversed(ends))).to.deep.equal(ends);
    expect(reversed(ends)).to.include({ source: 'b', sourcePort: 80 });
  });
});

describe('connections that are counted', () => {
  let nowMs: number;
  const kept = (most = 10) => createConnections({ now: () => nowMs, most, patienceMs: 60_000, mostDue: 2 });
  const to = (destination: string, sourcePort: number): Ends => ({
    ...{ protocol: 6, source: '10.0.0.1', sourcePort, destination, destinationPort: 80 },
  });
  const chooser = createChooser('LEAST_CONNECTIONS');
  const connection = (port: number, server = '10.0.0.21'): Counted => ({
    ...{ chooser, member: 1, network: 1 },
    ...{ clientSide: to('10.0.0.100', port), memberSide: to(server, port) },
  });
  beforeEach(() => {
    nowMs = 0;
  });

  it('are found from both sides, once, and only in their network', () => {
    const connections = kept();
    for (const ends of [to('10.0.0.100', 1), to('10.0.0.21', 1)]) {
      connections.add(connection(1));
      expect(connections.take(2, ends)).to.equal(undefined);
      expect(connections.take(1, ends)).to.deep.equal(connection(1));
      expect(connections.take(1, ends)).to.equal(undefined);
      expect(connections.size).to.equal(0);
    }
  });

  it('give way to one with the same ends on either side', () => {
    const connections = kept();
    connections.add(connection(1));
    expect(connections.add(connection(1, '10.0.0.22'))).to.deep.equal([connection(1)]);
    expect(connections.size).to.equal(1);
    expect(connections.take(1, to('10.0.0.21', 1))).to.equal(undefined);
    expect(connections.take(1, to('10.0.0.22', 1))).to.not.equal(undefined);
  });

  it('are not more than so many: the oldest is forgotten', () => {
    const connections = kept(3);
    for (const port of [1, 2, 3]) expect(connections.add(connection(port))).to.deep.equal([]);
    expect(connections.add(connection(4))).to.deep.equal([connection(1)]);
    expect(connections.size).to.equal(3);
  });

  it('are due after a while, some at a time, those first that have waited longest', () => {
    const connections = kept();
    const due = () => [...connections.due()].map(([, { clientSide }]) => clientSide.sourcePort);
    for (const port of [1, 2, 3]) connections.add(connection(port));
    expect(due()).to.deep.equal([]);
    nowMs = 60_000;
    connections.add(connection(4));
    expect([due(), due(), due()]).to.deep.equal([[1, 2], [3], []]);
    nowMs = 120_000;
    expect([due(), due()]).to.deep.equal([
      [4, 1],
      [2, 3],
    ]);
  });
});

describe('the valve', () => {
  const valve = () => createValve({ mostPerPort: 3, most: 6, restTicks: 2 });

  it('denies a port that asks too often, once in a tick', () => {
    const { passed, tick } = valve();
    const verdicts = () => [1, 1, 1, 1, 2].map(passed);
    expect(verdicts()).to.deep.equal(['pass', 'pass', 'deny port', 'pass', 'pass']);
    expect(tick()).to.equal(true);
    expect(verdicts()).to.include('deny port');
  });

  it('lets nobody ask for some ticks after there were too many', () => {
    const { passed, tick } = valve();
    expect([1, 2, 3, 4, 5, 6, 7].map(passed)).to.deep.equal([...Array(5).fill('pass'), 'deny all', 'pass']);
    expect([tick(), tick(), tick()]).to.deep.equal([false, true, true]);
  });
});
