/**
 * A hundred load balancers of placement namespace and one client on one host: how long it takes until all serve, what
 * they take of the memory, and what they take of a CPU while nothing happens.
 *
 * Memory is the proportional set size of processes; what the kernel keeps for a namespace is not in it. The yardstick is
 * an HAProxy with the same configuration that nobody manages.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Bench } from './lib/bench.ts';
import { loneProxy, proxiesBelow } from './lib/haproxy.ts';
import { allReady, apply, type BenchLab, execIn, serves, startLab, web } from './lib/lab.ts';
import { startNginx } from './lib/nginx.ts';
import { cpuMs, memoryMib } from './lib/processes.ts';
import { type Row, row } from './lib/report.ts';

const COUNT = 100;
const CLIENT = { name: 'c1', host: 'h1', owner: 'tenant', ips: ['10.0.0.11'] };
const MEMBER = { name: 's1', host: 'h1', owner: 'service', ips: ['10.0.0.21'] };
/** Has the unmanaged HAProxy. */
const ALONE = { name: 'a1', host: 'h1', owner: 'service', ips: ['10.0.0.31'] };
const VIPS = Array.from({ length: COUNT }, (_, index) => `10.0.1.${index + 1}`);
/** A round in which each balancer is looked at: what the pages changed is told by then. */
const SETTLE_MS = 22_000;
const IDLE_S = 20;

/** Milliseconds that `hostlb apply --wait` takes until all these VIPs have a balancer that is ready. */
async function timeApply(lab: BenchLab, vips: readonly string[]): Promise<number> {
  const load_balancers = vips.map((vip) => {
    return web({ name: `web${vip}`, vips: [vip], members: MEMBER.ips, placement: 'namespace', owner: 'tenant' });
  });
  const beganMs = performance.now();
  await apply(lab, { load_balancers });
  return performance.now() - beganMs;
}

/** Percent of one CPU that the processes take while nothing happens. */
async function idlePercents(groups: readonly (readonly number[])[]): Promise<number[]> {
  const before = groups.map(cpuMs);
  await delay(IDLE_S * 1000);
  return groups.map((pids, at) => (cpuMs(pids) - before[at]!) / (IDLE_S * 10));
}

export const sandboxes: Bench = {
  title: `${COUNT} balancers in namespaces on one host`,
  async run({ log }) {
    log('lab');
    const lab = await startLab({ name: 's', hosts: ['h1'], vms: [CLIENT, MEMBER, ALONE] });
    await startNginx(lab, [MEMBER.name]);
    const agent = lab.status().hosts[0]!.agent!.pid!;
    log('one load balancer');
    const one = await timeApply(lab, VIPS.slice(0, 1));
    await allReady(lab, 1);
    await serves(lab, CLIENT.name, `http://${VIPS[0]}/`);
    const agentBefore = memoryMib([agent]);
    log(`${COUNT} load balancers`);
    const all = await timeApply(lab, VIPS);
    await allReady(lab, COUNT);
    await execIn(lab, CLIENT.name, ['curl', '-sf', ...VIPS.flatMap((vip) => ['-o', '/dev/null', `http://${vip}/`])]);
    const lone = await loneProxy(lab, { vm: ALONE.name, address: ALONE.ips[0]!, vip: VIPS[0]! });
    lone.start();
    await serves(lab, CLIENT.name, `http://${ALONE.ips[0]}/`);

    log('memory');
    await delay(SETTLE_MS);
    const pids = proxiesBelow(lab.paths.dir).map((proxy) => proxy.pids);
    if (pids.length !== COUNT) throw new Error(`there are ${pids.length} HAProxys, not ${COUNT}`);
    const each = pids.map(memoryMib);
    const alone = { what: 'HAProxy alone', samples: [memoryMib(lone.pids())] };
    const growth = (memoryMib([agent]) - agentBefore) / (COUNT - 1);
    log(`idle for ${IDLE_S} s`);
    const [agentIdle, proxiesIdle] = await idlePercents([[agent], pids.flat()]);

    const rows: Row[] = [
      row({
        ...{ what: `apply to ${COUNT} ready`, unit: 's', samples: [all / 1000] },
        yardstick: { what: 'one', samples: [one / 1000] },
        target: { limit: '<=', value: 30, of: 'median' },
      }),
      row({ what: 'memory of each: HAProxy, master and worker', unit: 'MiB', samples: each, yardstick: alone }),
      row({ what: 'memory of each: growth of the agent', unit: 'MiB', samples: [growth] }),
      row({
        ...{ what: 'memory of each: both', unit: 'MiB', samples: each.map((mib) => mib + growth), yardstick: alone },
        target: { limit: '<=', value: 15, of: 'median' },
      }),
      row({
        what: `agent's CPU, idle for ${IDLE_S} s`,
        ...{ unit: '%', samples: [agentIdle!], target: { limit: '<=', value: 1 } },
      }),
      row({ what: `CPU of all ${COUNT} HAProxys meanwhile`, unit: '%', samples: [proxiesIdle!] }),
    ];
    return rows;
  },
};
