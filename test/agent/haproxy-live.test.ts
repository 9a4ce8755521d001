import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { expect } from 'chai';
import { observation } from '../../src/agent/haproxy-stats.ts';
import type { Member, Observation, Pool } from '../../src/model/types.ts';
import { packaged } from '../../src/util/paths.ts';
import { programOf } from '../support/program.ts';
import { requireSystem } from '../support/requirements.ts';
import { until } from '../support/until.ts';
import { type Balancer, Fixture, freePort, request, shares, who } from './loopback.ts';
import { healthMonitor, listener, loadBalancer, member, pool } from './model.ts';

describe('HAProxy under traffic', () => {
  const fixture = new Fixture();
  let port: number;
  let url: string;
  let members: Member[];
  let balancer: Balancer;
  before(function () {
    requireSystem(this, ['haproxy']);
  });
  beforeEach(async () => {
    const { port: memberPort } = await fixture.backends(4);
    members = [1, 2, 3, 4].map((i) => member(`127.0.0.${i}`, { id: `s${i}`, key: i, protocolPort: memberPort }));
    port = await freePort();
    url = `http://127.0.0.1:${port}/`;
    balancer = await fixture.balancer();
  });
  afterEach(() => fixture.end());

  const balanced = (its: readonly Member[], given: Partial<Pool> = {}, protocol: 'TCP' | 'HTTP' = 'HTTP') =>
    loadBalancer([listener('web', pool('web', its, given), { protocol, protocolPort: port })], { vips: ['127.0.0.1'] });
  const serve = (...words: Parameters<typeof balanced>) => balancer.serve(balanced(...words));
  const some = (...numbers: readonly number[]): Member[] => numbers.map((i) => members[i - 1]!);

  /** Requests one after the other, from a process of its own. */
  async function load() {
    const [file, script] = programOf('test/agent/requests.ts');
    const child: ChildProcess = spawn(file, [script, url], {
      stdio: ['pipe', 'pipe', 'inherit'],
      cwd: packaged('.'),
    });
    fixture.defer(() => child.kill());
    const lines = createInterface(child.stdout!)[Symbol.asyncIterator]();
    await lines.next();
    return async (): Promise<{ answers: Record<string, number>; failures: string[] }> => {
      child.stdin!.end();
      return JSON.parse((await lines.next()).value);
    };
  }

  /** Resolves when the balancer has taken so many connections more. */
  async function more(count: number): Promise<void> {
    const total = async () => (await balancer.observe()).counters.web!.totalConnections;
    const start = await total();
    await until(async () => (await total()) >= start + count, { what: `${count} connections more` });
  }

  async function open(): Promise<{ readonly socket: Socket; readonly name: string; ask(): Promise<string> }> {
    const socket = connect(port, '127.0.0.1');
    fixture.defer(() => socket.destroy());
    const ask = async () => {
      socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
      return String((await once(socket, 'data'))[0]).slice(-2);
    };
    return { socket, name: await ask(), ask };
  }

  for (const [protocol, monitor] of [
    ['TCP', undefined],
    ['HTTP', undefined],
    ['HTTP', healthMonitor('HTTP')],
  ] as const) {
    it(`fails no request while members come, go, drain and change, and it reloads: ${protocol}, ${monitor?.type ?? 'no'} monitor`, async () => {
      const given = { healthMonitor: monitor };
      await serve(some(1), given, protocol);
      const stop = await load();
      await more(50);
      const drained = (i: number): Member => ({ ...members[i - 1]!, weight: 0 });
      const disabled = (i: number): Member => ({ ...members[i - 1]!, adminStateUp: false });
      for (const step of [
        some(1, 2),
        some(1, 2, 3, 4),
        some(2, 3, 4),
        [drained(2), ...some(3, 4)],
        some(3, 4),
        [disabled(3), ...some(4)],
        [...some(1, 3), { ...members[3]!, weight: 7 }],
      ]) {
        await serve(step, given, protocol);
        for (const { id, adminStateUp } of step) if (adminStateUp) await balancer.until(id, ({ isUp }) => isUp);
        await more(50);
      }
      for (const algorithm of ['LEAST_CONNECTIONS', 'SOURCE_IP_PORT', 'ROUND_ROBIN'] as const) {
        await serve(some(1, 3, 4), { ...given, algorithm }, protocol);
        await more(50);
      }
      balancer.restartAgent();
      await serve(some(1, 2), given, protocol);
      await more(50);
      const { answers, failures } = await stop();
      expect(failures).to.deep.equal([]);
      expect(Object.keys(answers).sort()).to.deep.equal(['s1', 's2', 's3', 's4']);
    });
  }

  it('lets connections to a removed, disabled or drained member go on, and gives it no new ones', async () => {
    await serve(some(1, 2, 3), {}, 'TCP');
    const connections = [await open(), await open(), await open()];
    await serve([{ ...members[1]!, adminStateUp: false }, { ...members[2]!, weight: 0 }, members[3]!], {}, 'TCP');
    for (const { ask, name } of connections) expect(await ask()).to.equal(name);
    expect(await shares(url, 6)).to.deep.equal({ s4: 6 });
  });

  it('forgets a removed member when its last connection ended', async () => {
    await serve(some(1, 2), {}, 'TCP');
    const connections = [await open(), await open()];
    await serve(some(2), {}, 'TCP');
    const known = async () => {
      await balancer.observe();
      return (await balancer.servers()).some(({ name }) => name === 'web/s1');
    };
    expect(await known()).to.equal(true);
    connections.find(({ name }) => name === 's1')!.socket.destroy();
    await until(async () => !(await known()), { what: 'removed server gone' });
  });

  it('takes a removed member back while its connections go on', async () => {
    await serve(some(1, 2), {}, 'TCP');
    const connections = [await open(), await open()];
    const worker = await balancer.worker();
    await serve(some(2), {}, 'TCP');
    await serve(some(1, 2), {}, 'TCP');
    expect(await shares(url, 6)).to.deep.equal({ s1: 3, s2: 3 });
    for (const { ask, name } of connections) expect(await ask()).to.equal(name);
    expect(await balancer.worker()).to.equal(worker);
  });

  it('lets open connections go on over a reload', async () => {
    await serve(some(1, 2), {}, 'TCP');
    const connections = [await open(), await open()];
    const worker = await balancer.worker();
    await serve(some(1, 2), { algorithm: 'LEAST_CONNECTIONS' }, 'TCP');
    expect(await balancer.worker()).not.to.equal(worker);
    for (const { ask, name } of connections) expect(await ask()).to.equal(name);
  });

  it('enables and removes a member that was disabled when HAProxy started', async () => {
    await serve([{ ...members[0]!, adminStateUp: false }, members[1]!]);
    expect(await shares(url, 2)).to.deep.equal({ s2: 2 });
    await serve(some(1, 2));
    expect(await shares(url, 2)).to.deep.equal({ s1: 1, s2: 1 });
    await serve(some(2));
    expect((await balancer.servers()).map(({ name }) => name)).to.deep.equal(['web/s2']);
  });

  it('undoes what somebody else did to its servers', async () => {
    await serve(some(1, 2));
    await balancer.runtime.ask(
      '@1 set server web/s1 state maint; @1 set server web/s2 weight 7; @1 add server web/s9 127.0.0.9:9',
    );
    await balancer.observe();
    expect((await balancer.servers()).map(({ name, weight, isEnabled }) => [name, weight, isEnabled])).to.deep.equal([
      ['web/s1', 1, true],
      ['web/s2', 1, true],
    ]);
  });

  it('keeps what it has when HAProxy refuses the new one', async () => {
    await serve(some(1));
    const refused = loadBalancer(
      [listener('web', pool('web', [member('127.0.0.1', { id: 'no such name' })]), { protocolPort: port })],
      { vips: ['127.0.0.1'] },
    );
    const outcome = await balancer.serve(refused).catch(({ code }) => code);
    expect(outcome).to.equal('not-updated');
    expect(await who(url)).to.equal('s1');
    await serve(some(2));
    expect(await who(url)).to.equal('s2');
  });

  describe('statistics', () => {
    const totals = ({ counters }: Observation) =>
      Object.fromEntries(Object.entries(counters).map(([id, { totalConnections }]) => [id, totalConnections]));

    it('count by listener and member', async () => {
      await serve(some(1, 2));
      await shares(url, 4);
      const first = await balancer.observe();
      expect(totals(first)).to.deep.equal({ web: 4, s1: 2, s2: 2 });
      const { bytesIn, bytesOut, activeConnections, requestErrors } = first.counters.web!;
      expect(bytesIn).to.be.greaterThan(0);
      expect(bytesOut).to.be.greaterThan(bytesIn);
      expect([activeConnections, requestErrors]).to.deep.equal([0, 0]);
      await open();
      expect((await balancer.observe()).counters.web!.activeConnections).to.equal(1);
    });

    it('count requests that were none, and connections that members refused', async () => {
      await serve([member('127.0.0.1', { id: 'dead', protocolPort: await freePort() })]);
      expect((await request(url)).status).to.equal(503);
      const socket = connect(port, '127.0.0.1');
      socket.write('no request\r\n\r\n');
      await once(socket.resume(), 'close');
      const { counters } = await balancer.observe();
      expect(counters.web!.requestErrors).to.equal(1);
      expect(counters.dead!.requestErrors).to.be.greaterThan(0);
    });

    it('go on over changes, reloads, new starts and new agents', async () => {
      await serve(some(1, 2));
      await shares(url, 4);
      await serve(some(1, 2), { algorithm: 'LEAST_CONNECTIONS' });
      await shares(url, 4);
      await serve(some(1, 2), { algorithm: 'SOURCE_IP' });
      await serve(some(1, 2));
      await shares(url, 4);
      expect(totals(await balancer.observe())).to.deep.equal({ web: 12, s1: 6, s2: 6 });
      balancer.restartAgent();
      await serve(some(1, 2));
      await shares(url, 2);
      expect(totals(await balancer.observe())).to.deep.equal({ web: 14, s1: 7, s2: 7 });
      await balancer.haproxy.stop({ isKind: false });
      await serve(some(1, 2));
      await shares(url, 2);
      expect(totals(await balancer.observe())).to.deep.equal({ web: 16, s1: 8, s2: 8 });
      expect(totals(await balancer.observe())).to.deep.equal({ web: 16, s1: 8, s2: 8 });
      await serve(some(1));
      expect(totals(await balancer.observe())).to.deep.equal({ web: 16, s1: 8 });
    });

    it('say nothing when there is no answer', () => {
      const context = { loadBalancer: balanced(some(1)), before: undefined };
      for (const text of ['', 'nonsense', 'Name: HAProxy\nPid: 1\n'])
        expect(observation(text, context)).to.equal(undefined);
    });
  });
});
