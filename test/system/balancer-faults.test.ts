/** Faults of what balancers outside the switch stand on: HAProxy, the agent, the state database. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { commandLine, parentOf, pidsIn } from '../../src/lab/process.ts';
import { namespaces } from '../../src/lab/wiring.ts';
import { holdsLaw } from '../support/law.ts';
import { nothingLeft } from '../support/leftovers.ts';
import { requireSystem } from '../support/requirements.ts';
import { BLUE, balancing, membersAt, VIP4, VIPS, vmAt } from '../support/site.ts';
import { until } from '../support/until.ts';
import { World } from '../support/world.ts';

const NAMESPACE = { placement: 'namespace', algorithm: 'ROUND_ROBIN' } as const;
const NAMES = ['s1', 's2'];

describe('faults of balancers outside the switch', () => {
  const world = new World({
    part: 'bf',
    controller: ['--linger', '0.5'],
    topology: {
      hosts: [{ name: 'h1' }, { name: 'h2' }],
      networks: [BLUE],
      vms: [vmAt('c1', 'h1', 11), vmAt('c2', 'h2', 12), vmAt('s1', 'h1', 21), vmAt('s2', 'h2', 22)],
    },
  });

  before(async function () {
    requireSystem(this, ['haproxy']);
    await world.up();
    await Promise.all([world.serve(NAMES), world.apply(balancing('web', membersAt([21, 22]), NAMESPACE))]);
  });
  after(() => world.down());
  afterEach(async () => {
    await holdsLaw(world);
    await nothingLeft(world);
    expect(world.restarts()).to.equal(0);
    for (const vm of ['c1', 'c2']) {
      for (const address of VIPS) {
        expect([...new Set(await world.vm(vm).names({ address }, 8))].sort(), vm).to.deep.equal(NAMES);
      }
    }
  });

  /** HAProxy on h1. */
  function haproxy(): { readonly master: number; readonly worker: number } {
    const own = namespaces().filter((name) => /^hostlb-h1-\d+-/.test(name));
    const pids = pidsIn(own).filter((one) =>
      commandLine(one).some((word) => word.startsWith(`${world.lab.paths.host('h1')}/`)),
    );
    const master = pids.find((one) => !pids.includes(parentOf(one)!))!;
    return { master, worker: pids.find((one) => parentOf(one) === master)! };
  }
  /** How long it took until c1 was served again: one try after the other. */
  async function servedAgain(): Promise<number> {
    const beganMs = performance.now();
    for (;;) {
      const [answer] = await world.vm('c1').run('fetch', { address: VIP4, timeoutMs: 1000 });
      const tookMs = Math.round(performance.now() - beganMs);
      if (/^s[12] /.test(answer!)) return tookMs;
      if (tookMs > 30_000) throw new Error(`not served again: ${answer}`);
    }
  }

  for (const which of ['master', 'worker'] as const) {
    it(`HAProxy's ${which} is killed: another one serves`, async () => {
      const before = haproxy();
      process.kill(before[which], 'SIGKILL');
      const tookMs = await servedAgain();
      process.stdout.write(`      serving again after ${tookMs} ms\n`);
      await world.ready();
      expect(haproxy().worker).to.not.equal(before.worker);
    });
  }

  it('HAProxy hangs: it is replaced', async () => {
    const before = haproxy();
    process.kill(before.worker, 'SIGSTOP');
    const tookMs = await servedAgain();
    process.stdout.write(`      serving again after ${tookMs} ms\n`);
    await world.ready();
    expect(haproxy().worker).to.not.equal(before.worker);
  });

  describe('the state database', () => {
    const pid = () => Number(readFileSync(join(world.lab.paths.controllerDir, 'ovsdb-server.pid'), 'utf8'));
    const LOAD = { endpoints: VIPS.map((address) => ({ address })), perSecond: 40 };
    beforeEach(() => world.vm('c1').run('load', LOAD));
    const nobodyNoticed = async (): Promise<void> => {
      const { failures } = await world.vm('c1').run('unload');
      expect(failures).to.deep.equal([]);
    };

    it('is killed: balancers serve, and changes are made as soon as it is back', async () => {
      process.kill(pid(), 'SIGKILL');
      await until(
        () =>
          world.apply(balancing('web', membersAt([21, 22], { weight: 3 }), NAMESPACE)).then(
            () => true,
            () => false,
          ),
        {
          what: 'a change is accepted',
        },
      );
      await nobodyNoticed();
    });

    it('hangs: balancers serve, HAProxy is watched, and all goes on with it', async () => {
      const hung = pid();
      process.kill(hung, 'SIGSTOP');
      try {
        const lost = () =>
          readFileSync(`${world.lab.paths.host('h1')}/agent.log`, 'utf8').split('state database lost').length;
        const before = lost();
        await until(() => lost() > before, { what: 'the agent has noticed' });
        await nobodyNoticed();
        process.kill(haproxy().master, 'SIGKILL');
        await servedAgain();
      } finally {
        process.kill(hung, 'SIGCONT');
      }
      await until(
        () =>
          world.apply(balancing('web', membersAt([21, 22]), NAMESPACE)).then(
            () => true,
            () => false,
          ),
        {
          what: 'a change is accepted',
        },
      );
    });
  });

  it('agents are killed at any moment while balancers come and go: nothing is left, nothing is double', async () => {
    const extra = (i: number) => balancing(`x${i}`, membersAt([21]), { ...NAMESPACE, vips: [`10.0.0.${120 + i}`] });
    for (const delayMs of [0, 30, 60, 90, 130, 180, 240, 320]) {
      await world.client.request('PUT', '/v1/apply', extra(delayMs % 7));
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      await world.lab.stopAgent('h1', { force: true });
      world.lab.startAgent('h1');
    }
    await world.ready();
    await nothingLeft(world);
    const { loadbalancers } = await world.get<{ loadbalancers: { id: string; name: string }[] }>(
      '/v2/lbaas/loadbalancers',
    );
    for (const [i, { id }] of loadbalancers.filter(({ name }) => name.startsWith('x')).entries()) {
      await world.client.request('DELETE', `/v2/lbaas/loadbalancers/${id}?cascade=true`);
      await new Promise((resolve) => setTimeout(resolve, 40 * i));
      await world.lab.stopAgent('h1', { force: true });
      world.lab.startAgent('h1');
    }
    await until(async () => (await world.balancers()).length === 2, { what: 'only the balancers of web' });
  });
});
