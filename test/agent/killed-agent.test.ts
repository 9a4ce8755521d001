/** The agent is killed at many moments of its work; the last one finishes, or removes, what all of them left. */
import { readdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import type { SandboxPlacement } from '../../src/agent/drivers/driver.ts';
import { createNaming } from '../../src/agent/names.ts';
import { parseTopology } from '../../src/lab/index.ts';
import { namespaces } from '../../src/lab/wiring.ts';
import { requireSystem } from '../support/requirements.ts';
import { sh } from './compliance/bench.ts';
import { SUBJECTS } from './compliance/drivers.ts';
import { TestHost } from './host.ts';

/** From the moment that the agent knows what is wanted; a sandbox takes some tens of milliseconds, a container some hundreds. */
const MOMENTS_MS: Partial<Record<SandboxPlacement, readonly number[]>> = {
  namespace: [0, 10, 20, 30, 40, 60, 80, 110, 150, 200],
  container: [0, 20, 50, 100, 150, 200, 300, 400, 600, 900],
};

for (const subject of SUBJECTS.filter(({ placement }) => MOMENTS_MS[placement] !== undefined)) {
  describe(`agent killed at its work with placement ${subject.placement}`, () => {
    const host = new TestHost();
    const loadBalancers: string[] = [];

    before(async function () {
      requireSystem(this, ['haproxy', 'curl']);
      const missing = await subject.missing();
      if (missing.length > 0) {
        process.stdout.write(`    skipped: this needs ${missing.join(', ')}\n`);
        this.skip();
      }
      await host.up(
        parseTopology({
          hosts: [{ name: 'h1' }],
          networks: [{ name: 'blue', subnets: ['10.0.0.0/24'], balancer_range: '10.0.0.240-10.0.0.250' }],
          vms: [
            { name: 'c1', host: 'h1', ips: ['10.0.0.11'] },
            { name: 's1', host: 'h1', ips: ['10.0.0.21'], serve: 80 },
          ],
        }),
      );
      for (const vip of ['10.0.0.100', '10.0.0.101', '10.0.0.102']) {
        const { id } = await host.create({
          network: 'blue',
          vips: [vip],
          placement: subject.placement,
          listeners: [
            {
              protocol: 'TCP',
              protocolPort: 80,
              defaultPool: { algorithm: 'ROUND_ROBIN', members: [{ address: '10.0.0.21', protocolPort: 80 }] },
            },
          ],
        });
        loadBalancers.push(id);
      }
    });
    after(() => host.down());

    /** An agent that knows what is wanted. */
    const startAgent = async (): Promise<void> => {
      const runs = async () => (await host.log().catch(() => '')).split('"agent runs"').length;
      const before = await runs();
      host.startAgent();
      while ((await runs()) === before) await delay(5);
    };

    const traces = async (): Promise<string[]> => {
      const naming = createNaming({ host: host.name, runDir: host.runDir, placement: subject.placement });
      const ours = namespaces().filter((name) => name.endsWith(`-${naming.suffix}`));
      const containers =
        subject.placement === 'container' ? await sh('podman', 'ps', '-a', '--format', '{{.Names}}') : '';
      return [
        ...ours,
        ...containers.split('\n').filter((name) => name.endsWith(`-${naming.suffix}`)),
        ...(await host.cables()),
        ...(await host.ports()),
        ...readdirSync(host.runDir).filter((name) => naming.keyOf(name) !== undefined),
        ...(await subject.leftovers(naming)),
      ];
    };

    it('leaves nothing unfinished, and nothing behind', async () => {
      for (const [i, momentMs] of MOMENTS_MS[subject.placement]!.entries()) {
        await host.wantBalancers(i % 2 === 0 ? loadBalancers : []);
        await startAgent();
        await delay(momentMs);
        await host.stopAgent('SIGKILL');
      }
      await host.wantBalancers(loadBalancers);
      await startAgent();
      for (const id of loadBalancers) await host.ready(id);
      for (const vip of ['10.0.0.100', '10.0.0.101', '10.0.0.102']) {
        expect(await host.fetch('c1', vip)).to.equal('s1');
      }
      for (const momentMs of MOMENTS_MS[subject.placement]!) {
        await host.stopAgent('SIGKILL');
        await host.wantBalancers([]);
        await startAgent();
        await delay(momentMs);
      }
      while ((await traces()).length > 0) await delay(50);
      expect(await traces()).to.deep.equal([]);
    });
  });
}
