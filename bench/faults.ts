/**
 * What connections through a VIP notice of faults: 200 new ones a second and 50 that are kept, of a VM on the host that
 * suffers, over four members on both hosts.
 *
 *     c1 (client), m1, m2 ──[ h1 ]────[ h2 ]── m3, m4 (nginx)
 *                              │ wires that can be cut
 *                         controller
 */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Client, createClient } from '../src/api/client.ts';
import type { HostJson } from '../src/api/resources.ts';
import { packaged } from '../src/util/paths.ts';
import { type Wires, wired } from '../test/support/cut-host.ts';
import { type Bench, type BenchOptions, repetitions } from './lib/bench.ts';
import { defer } from './lib/clean-up.ts';
import { clientOf, eventually, installed } from './lib/controller.ts';
import { apply, type BenchLab, freePort, serves, startLab, web } from './lib/lab.ts';
import { startNginx } from './lib/nginx.ts';
import { type Row, row } from './lib/report.ts';
import { now, type Outcome, underLoad } from './lib/under-load.ts';

const VIP = '10.0.0.100';
const MEMBERS = ['10.0.0.21', '10.0.0.22', '10.0.0.23', '10.0.0.24'];
const LOAD = { vm: 'c1', address: VIP, rate: 200, kept: 50 } as const;
/** Before a fault, and after it is over. */
const CALM_MS = 1_000;
const CUT_MS = 30_000;
const BUNDLE_ADD = 34;
const NONE = { limit: '<=', value: 0 } as const;

interface World {
  readonly lab: BenchLab;
  readonly client: Client;
  readonly wires: Wires;
  /** Hosts as the lab registered them. */
  readonly hosts: readonly HostJson[];
}

/** Does harm and waits until all is as before; answers the milliseconds that a row of its own reports. */
type Harm = (world: World) => Promise<number | undefined>;

interface Fault {
  readonly what: string;
  readonly harm: Harm;
  /** What the milliseconds are that it answers. */
  readonly timed?: { readonly what: string; readonly mostMs?: number };
  /** Whether the switch itself fails: then requests are lost. */
  readonly isSwitch?: boolean;
  /** Repetitions, if not as many as of the others. */
  readonly times?: number;
}

const load = (more: object = {}) => ({
  load_balancers: [web({ name: 'web', vips: [VIP], members: MEMBERS, ...more })],
});

const OTHER = load({ name: 'other', vips: ['10.0.0.101'] });

async function hostsOf(client: Client): Promise<readonly HostJson[]> {
  return ((await client.request('GET', '/v1/hosts')).body as { hosts: HostJson[] }).hosts;
}

/** Resolves when the controller that answers here keeps both hosts and finds them as they should be. */
async function inSync(client: Client): Promise<void> {
  await eventually('both switches are as they should be', async () => {
    const diffs = ['h1', 'h2'].map(async (host) => {
      const { body } = await client.request('GET', `/v1/hosts/${host}/flows?diff=true`);
      return (body as { in_sync: boolean }).in_sync;
    });
    return (await Promise.all(diffs).catch(() => [false])).every(Boolean);
  });
}

async function restartController({ lab, client }: World): Promise<void> {
  await lab.stopController({ force: true });
  await delay(1000);
  lab.startController();
  await inSync(client);
}

/** Makes sure that another load balancer is there, and takes it away. */
async function change({ lab, client }: World): Promise<void> {
  await apply(lab, OTHER);
  const { loadbalancers } = (await client.request('GET', '/v2.0/lbaas/loadbalancers')).body as {
    loadbalancers: { id: string; name: string }[];
  };
  const { id } = loadbalancers.find(({ name }) => name === 'other')!;
  await installed(client, (await client.request('DELETE', `/v2.0/lbaas/loadbalancers/${id}?cascade=true`)).generation!);
}

/** Another controller of the same hosts, until the bench ends or it is stopped. */
async function another(words: readonly string[]): Promise<{ readonly client: Client; stop(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'hostlb-faults-'));
  const api = `127.0.0.1:${await freePort()}`;
  const files = ['--state-dir', folder, '--log-file', join(folder, 'log'), '--pid-file', join(folder, 'pid')];
  const child = spawn(packaged('bin/hostlb'), ['controller', '--api', api, ...files, ...words], { stdio: 'inherit' });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const stop = async () => {
    child.kill();
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  defer(stop);
  const client = createClient({ url: `http://${api}` });
  await eventually('the other controller answers', () => hostsOf(client).catch(() => undefined));
  return { client, stop };
}

const FAULTS: readonly Fault[] = [
  {
    what: 'controller killed, and started a second later',
    harm: async (world) => void (await restartController(world)),
  },
  {
    what: 'controller killed in the middle of a bundle',
    harm: async (world) => {
      const { lab, client, wires } = world;
      let adds = 0;
      const amid = wires.openflow.cutAt({
        isIt: (message) => message[1] === BUNDLE_ADD && ++adds === 20,
        passes: true,
      });
      await client.request('PUT', '/v1/apply', OTHER);
      await amid;
      await lab.stopController({ force: true });
      wires.openflow.mend();
      lab.startController();
      await inSync(client);
      wires.openflow.bury();
      await change(world);
      return undefined;
    },
  },
  {
    what: 'connection to the host’s database broken',
    harm: async (world) => {
      world.wires.database.reset();
      await change(world);
      return undefined;
    },
  },
  {
    what: 'connections to the host silent for 30 s while members change',
    timed: { what: 'until what is stale has gone' },
    times: 3,
    harm: async ({ lab, client, wires }) => {
      wires.cut();
      await client.request('PUT', '/v1/apply', load({ members: MEMBERS.slice(1) }));
      await delay(CUT_MS);
      const start = now();
      wires.mend();
      await inSync(client);
      const ms = now() - start;
      wires.bury();
      await apply(lab, load());
      return ms;
    },
  },
  {
    what: 'a controller of another state database for the same hosts',
    harm: async (world) => {
      const other = await another([]);
      for (const { name, remote, bridge } of world.hosts) {
        await other.client.request('PUT', `/v1/hosts/${name}`, { host: { name, remote, bridge } });
      }
      await eventually('it keeps away', async () =>
        (await hostsOf(other.client)).every(({ error }) => error.includes('kept for another state database')),
      );
      await change(world);
      await other.stop();
      return undefined;
    },
  },
  {
    what: 'a controller of the same state database, and the first one killed',
    timed: { what: 'until the second keeps the hosts' },
    harm: async ({ lab, client }) => {
      const other = await another(['--db', `unix:${lab.paths.controllerDb}`]);
      await delay(CALM_MS);
      const start = now();
      await lab.stopController({ force: true });
      await inSync(other.client);
      const ms = now() - start;
      lab.startController();
      await other.stop();
      await inSync(client);
      return ms;
    },
  },
  {
    what: 'ovs-vswitchd killed and started',
    isSwitch: true,
    timed: { what: 'from the bridge’s return to the first new connection', mostMs: 1_000 },
    harm: async ({ lab, client }) => {
      await lab.stopHost('h1', { parts: ['ovs-vswitchd'] });
      await lab.startHost('h1');
      const back = now();
      await inSync(client);
      return back;
    },
  },
];

interface Seen {
  readonly outcome: Outcome;
  readonly ms: number | undefined;
}

async function once(world: World, { harm }: Fault): Promise<Seen> {
  let ms: number | undefined;
  const outcome = await underLoad(world.lab, LOAD, async () => {
    await delay(CALM_MS);
    ms = await harm(world);
    await delay(CALM_MS);
  });
  return { outcome, ms };
}

/** How long after this moment the first connection was opened that got its page. */
function firstAfter({ connections }: Outcome, fromMs: number): number {
  return (
    Math.min(...connections.filter(({ page, atMs }) => page !== undefined && atMs >= fromMs).map(({ atMs }) => atMs)) -
    fromMs
  );
}

function rowsOf({ what, timed, isSwitch = false }: Fault, seen: readonly Seen[]): Row[] {
  const outcomes = seen.map(({ outcome }) => outcome);
  // In sum: a median would hide one that is lost in one round.
  const sum = (numbers: readonly number[]): readonly number[] => [numbers.reduce((all, one) => all + one, 0)];
  const attempts = outcomes.reduce((sum, { connections }) => sum + connections.length, 0);
  const asked = outcomes.reduce((sum, { kept }) => sum + kept.asked, 0);
  const target = isSwitch ? {} : { target: NONE };
  const lost = outcomes.map(({ connections }) => connections.filter(({ page }) => page === undefined).length);
  const broken = outcomes.map(({ kept }) => kept.failedAtMs.length);
  const rows = [
    row({ what: `${what}: new connections lost, of ${attempts}`, unit: '', samples: sum(lost), ...target }),
    row({
      what: `  kept connections lost, of ${LOAD.kept * seen.length} (${asked} requests)`,
      unit: '',
      samples: sum(broken),
      ...target,
    }),
    row({ what: '  longest wait for a page', unit: 'ms', samples: outcomes.map(({ longestMs }) => longestMs) }),
  ];
  if (timed === undefined) return rows;
  const samples = seen.map(({ outcome, ms }) => (isSwitch ? firstAfter(outcome, ms!) : ms!));
  const most = timed.mostMs === undefined ? {} : { target: { limit: '<=', value: timed.mostMs } as const };
  return [...rows, row({ what: `  ${timed.what}`, unit: 'ms', samples, ...most })];
}

async function start(): Promise<World> {
  const vm = (name: string, host: string, ip: string) => ({ name, host, ips: [ip] });
  const servers = MEMBERS.map((ip, at) => vm(`m${at + 1}`, at < 2 ? 'h1' : 'h2', ip));
  const lab = await startLab({ name: 'ft', hosts: ['h1', 'h2'], vms: [vm('c1', 'h1', '10.0.0.11'), ...servers] });
  await startNginx(
    lab,
    servers.map(({ name }) => name),
  );
  const client = clientOf(lab);
  const hosts = await hostsOf(client);
  const wires = await wired({ lab, client }, 'h1');
  defer(() => wires.stop());
  await apply(lab, load());
  await serves(lab, 'c1', `http://${VIP}/`);
  return { lab, client, wires, hosts };
}

export const faults: Bench = {
  title: `faults, under ${LOAD.rate} new connections/s and ${LOAD.kept} kept ones through a VIP of placement switch`,
  async run(options: BenchOptions) {
    const world = await start();
    const rows: Row[] = [];
    for (const fault of FAULTS) {
      const seen: Seen[] = [];
      for (let nth = 0; nth < (fault.times ?? repetitions(5, options)); nth++) {
        options.log(`${fault.what}, ${nth + 1}`);
        seen.push(await once(world, fault));
      }
      rows.push(...rowsOf(fault, seen));
    }
    const crashes = ['h1', 'h2'].reduce((sum, host) => sum + world.lab.host(host).restarts(), 0);
    return [...rows, row({ what: 'crashes of ovs-vswitchd', unit: '', samples: [crashes], target: NONE })];
  },
};
