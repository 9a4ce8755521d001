/**
 * How soon a change is in the traffic, on one host, beside 0, 100 and 1,000 other load balancers:
 *
 *     c1 (client), n1 (plugged in and out) ──[ h1: hostlb ]── m1 … m4 (nginx)
 *
 * Times begin when the cause does: the request is sent, the row for the port is sent to the host's database, the signal
 * is sent. They end at what a client in a VM sees, which tries all the time.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from '../src/api/client.ts';
import { type Bench, type BenchOptions, repetitions } from './lib/bench.ts';
import { clientOf, crowd, eventually, installed } from './lib/controller.ts';
import { timeFirstPage } from './lib/first-page.ts';
import { type BenchLab, serves, startLab, WIDE } from './lib/lab.ts';
import { killNginx, startNginx } from './lib/nginx.ts';
import { type Plugging, plugging } from './lib/plugging.ts';
import { type Row, row } from './lib/report.ts';
import { lastAfter, now, underLoad } from './lib/under-load.ts';

const LEVELS = [0, 100, 1000] as const;
const MEMBERS = ['10.0.0.21', '10.0.0.22', '10.0.0.23', '10.0.0.24'];
/** The member that goes. */
const VICTIM = { vm: 'm4', address: '10.0.0.24' } as const;
const COMER = 'n1';
const VIPS = { web: '10.0.0.100', watched: '10.0.0.101' } as const;
/** New connections in a second while members go. */
const RATE = 500;
/** How long is watched for a connection that still goes to a member that is gone. */
const WATCH_MS = 300;
const NONE = { limit: '<=', value: 0 } as const;
const MONITOR = { type: 'TCP', delay: 1, timeout: 1, max_retries: 1, max_retries_down: 1 } as const;

/** What is measured; targets in ms, and what OVN took beside so many load balancers. */
const MEASURED = {
  created: { what: 'create a load balancer → installed', mostMs: 10, ovn: ['19', '35', '196'] },
  served: { what: 'create a load balancer → first page', mostMs: 15, ovn: ['24', '26', '94'] },
  plugged: { what: 'plug a VM in → its first page', mostMs: 20, ovn: ['19', '-', '27'] },
  removed: { what: 'remove a member → last new connection to it', mostMs: 10, ovn: ['9', '-', '85'] },
  killed: { what: 'kill a member → last failed connection', mostMs: 300, ovn: ['354', '-', '354'] },
  unplugged: { what: 'unplug a member → last failed connection', mostMs: 50, ovn: ['1,484', '-', '1,484'] },
  restarted: { what: 'kill and start ovs-vswitchd → next page', mostMs: 700, ovn: ['838', '-', '1,249'] },
} as const;
type Measured = keyof typeof MEASURED;

interface World {
  readonly lab: BenchLab;
  readonly client: Client;
  readonly plugs: Plugging;
  readonly options: BenchOptions;
  /** A VIP that was not used before: clients would remember the MAC of a load balancer that is no more. */
  readonly freshVip: () => string;
}

/** A load balancer as `POST /v2.0/lbaas/loadbalancers` takes it. */
function loadBalancer(name: string, vip: string, more: object = {}): object {
  const members = MEMBERS.map((address) => ({ address, protocol_port: 80 }));
  const pool = { name: 'pool', protocol: 'TCP', lb_algorithm: 'SOURCE_IP_PORT', members, ...more };
  const listener = { name: 'http', protocol: 'TCP', protocol_port: 80, default_pool: pool };
  return {
    loadbalancer: { name, vip_network_id: 'blue', vip_address: vip, provider: 'switch', listeners: [listener] },
  };
}

async function create({ client }: World, body: object): Promise<{ readonly id: string; readonly generation: number }> {
  const reply = await client.request('POST', '/v2.0/lbaas/loadbalancers', body);
  const { loadbalancer } = reply.body as { loadbalancer: { id: string } };
  return { id: loadbalancer.id, generation: reply.generation! };
}

async function destroy({ client }: World, id: string): Promise<void> {
  const { generation } = await client.request('DELETE', `/v2.0/lbaas/loadbalancers/${id}?cascade=true`);
  await installed(client, generation!);
}

async function timeCreated(world: World): Promise<number> {
  const start = now();
  const { id, generation } = await create(world, loadBalancer('new', world.freshVip()));
  await installed(world.client, generation);
  const ms = now() - start;
  await destroy(world, id);
  return ms;
}

async function timeServed(world: World): Promise<number> {
  const vip = world.freshVip();
  let id = '';
  const ms = await timeFirstPage(world.lab, { vm: 'c1', address: vip }, async () => {
    ({ id } = await create(world, loadBalancer('new', vip)));
  });
  await destroy(world, id);
  return ms;
}

async function timePlugged({ lab, plugs, client }: World): Promise<number> {
  const ms = await timeFirstPage(lab, { vm: COMER, address: VIPS.web }, () => plugs.plug(COMER));
  await plugs.unplug(COMER);
  await eventually(`${COMER} is gone`, async () => {
    const { vms } = (await client.request('GET', '/v1/vms')).body as { vms: { iface_id: string; state: string }[] };
    return vms.every(({ iface_id: name, state }) => name !== COMER || state === 'absent');
  });
  return ms;
}

interface Victim {
  readonly pool: string;
  readonly id: string;
}

async function victimOf({ client }: World, pool: string): Promise<Victim & { readonly status: string }> {
  const { members } = (await client.request('GET', `/v2.0/lbaas/pools/${pool}/members`)).body as {
    members: { id: string; address: string; operating_status: string }[];
  };
  const { id, operating_status: status } = members.find(({ address }) => address === VICTIM.address)!;
  return { pool, id, status };
}

/** Lets a member go several times under load, and come back; how long after each the last connection meant was opened. */
async function lastOf(
  world: World,
  init: { readonly vip: string; readonly times: number; readonly isMeant: (page: string | undefined) => boolean },
  go: () => Promise<() => Promise<void>>,
): Promise<number[]> {
  const events: { fromMs: number; toMs: number }[] = [];
  const { connections } = await underLoad(world.lab, { vm: 'c1', address: init.vip, rate: RATE }, async () => {
    for (let nth = 0; nth < init.times; nth++) {
      await delay(WATCH_MS);
      const fromMs = now();
      const comeBack = await go();
      await delay(WATCH_MS);
      events.push({ fromMs, toMs: now() });
      await comeBack();
    }
  });
  return lastAfter(
    events,
    connections.filter(({ page }) => init.isMeant(page)),
  );
}

async function timesRemoved(world: World, pool: string, times: number): Promise<number[]> {
  const { client } = world;
  const members = `/v2.0/lbaas/pools/${pool}/members`;
  return lastOf(world, { vip: VIPS.web, times, isMeant: (page) => page === VICTIM.vm }, async () => {
    const { id } = await victimOf(world, pool);
    await client.request('DELETE', `${members}/${id}`);
    return async () => {
      const member = { address: VICTIM.address, protocol_port: 80 };
      const { generation } = await client.request('POST', members, { member });
      await installed(client, generation!);
    };
  });
}

/** The monitor sees the member go, and come back. */
async function timesGone(
  world: World,
  { pool, times }: { readonly pool: string; readonly times: number },
  go: () => Promise<() => Promise<void>>,
): Promise<number[]> {
  const becomes = (wanted: string) =>
    eventually(`${VICTIM.vm} is ${wanted}`, async () => (await victimOf(world, pool)).status === wanted);
  return lastOf(world, { vip: VIPS.watched, times, isMeant: (page) => page === undefined }, async () => {
    const comeBack = await go();
    await becomes('ERROR');
    return async () => {
      await comeBack();
      await becomes('ONLINE');
    };
  });
}

async function timeRestarted({ lab, client }: World): Promise<number> {
  const ms = await timeFirstPage(lab, { vm: 'c1', address: VIPS.web }, async () => {
    await lab.stopHost('h1', { parts: ['ovs-vswitchd'] });
    await lab.startHost('h1');
  });
  await installed(client, 0);
  await serves(lab, 'c1', `http://${VIPS.web}/`);
  return ms;
}

/** `count` scaled, one after the other. */
async function several(count: number, options: BenchOptions, measure: () => Promise<number>): Promise<number[]> {
  const samples: number[] = [];
  for (let nth = 0; nth < repetitions(count, options); nth++) samples.push(await measure());
  return samples;
}

async function level(world: World, pools: Readonly<Record<keyof typeof VIPS, string>>) {
  const { lab, plugs, options } = world;
  const times = repetitions(5, options);
  const measures: Record<Measured, () => Promise<number[]>> = {
    created: () => several(20, options, () => timeCreated(world)),
    served: () => several(10, options, () => timeServed(world)),
    plugged: () => several(10, options, () => timePlugged(world)),
    removed: () => timesRemoved(world, pools.web, times),
    killed: () => timesGone(world, { pool: pools.watched, times }, () => killNginx(lab, VICTIM.vm)),
    unplugged: () =>
      timesGone(world, { pool: pools.watched, times }, async () => {
        await plugs.unplug(VICTIM.vm);
        return () => plugs.plug(VICTIM.vm);
      }),
    restarted: () => several(3, options, () => timeRestarted(world)),
  };
  const samples = new Map<Measured, readonly number[]>();
  for (const [name, measure] of Object.entries(measures) as [Measured, () => Promise<number[]>][]) {
    options.log(`${MEASURED[name].what}`);
    samples.set(name, await measure());
  }
  return samples;
}

const VMS = [
  ...['c1', COMER].map((name, at) => ({ name, host: 'h1', ips: [`10.0.0.1${at + 1}`] })),
  ...MEMBERS.map((ip, at) => ({ name: `m${at + 1}`, host: 'h1', ips: [ip] })),
];
const SERVERS = MEMBERS.map((_, at) => `m${at + 1}`);

async function start(options: BenchOptions) {
  const lab = await startLab({ name: 'cv', hosts: ['h1'], networks: [WIDE], vms: VMS });
  await startNginx(lab, SERVERS);
  const plugs = await plugging(lab, 'h1');
  await plugs.unplug(COMER);
  let used = 0;
  return {
    lab,
    client: clientOf(lab),
    plugs,
    options,
    freshVip: () => `10.0.${1 + (used >> 7)}.${1 + (used++ & 127)}`,
  };
}

/** The pool of a load balancer that stays. */
async function lasting(world: World, name: keyof typeof VIPS, more: object = {}): Promise<string> {
  const { id } = await create(world, loadBalancer(name, VIPS[name], more));
  await serves(world.lab, 'c1', `http://${VIPS[name]}/`);
  const { loadbalancer } = (await world.client.request('GET', `/v2.0/lbaas/loadbalancers/${id}`)).body as {
    loadbalancer: { pools: { id: string }[] };
  };
  return loadbalancer.pools[0]!.id;
}

/** A VM is plugged into a bridge that only switches, until it gets a page from a member. */
async function withoutBalancer(options: BenchOptions): Promise<number[]> {
  const lab = await startLab({ name: 'cb', hosts: ['h1'], networks: [WIDE], vms: VMS, bare: true });
  await startNginx(lab, [SERVERS[0]!]);
  const plugs = await plugging(lab, 'h1');
  await plugs.unplug(COMER);
  return several(10, options, async () => {
    const ms = await timeFirstPage(lab, { vm: COMER, address: MEMBERS[0]! }, () => plugs.plug(COMER));
    await plugs.unplug(COMER);
    return ms;
  });
}

export const convergence: Bench = {
  title: 'placement switch, one host: a cause, until it shows in the traffic',
  async run(options) {
    options.log('labs');
    const bare = await withoutBalancer(options);
    const world = await start(options);
    const pools = {
      web: await lasting(world, 'web'),
      watched: await lasting(world, 'watched', { healthmonitor: MONITOR }),
    };
    const seen: { readonly existing: number; readonly samples: ReadonlyMap<Measured, readonly number[]> }[] = [];
    for (const [at, existing] of LEVELS.entries()) {
      options.log(`${existing} other load balancers`);
      await crowd(world.client, { from: LEVELS[at - 1] ?? 0, to: existing, members: MEMBERS });
      const told = { ...options, log: (text: string) => options.log(`beside ${existing}: ${text}`) };
      seen.push({ existing, samples: await level({ ...world, options: told }, pools) });
    }
    const rows: Row[] = [];
    for (const [name, { what, mostMs, ovn }] of Object.entries(MEASURED) as [Measured, (typeof MEASURED)[Measured]][]) {
      for (const [at, { existing, samples }] of seen.entries()) {
        rows.push(
          row({
            ...{ what: `${what}, beside ${existing.toLocaleString('en-US')}`, unit: 'ms', samples: samples.get(name)! },
            ...(name === 'plugged' && { yardstick: { what: 'only switched', samples: bare } }),
            ...{ target: { limit: '<=', value: mostMs, of: 'median' }, peer: `OVN ${ovn[at]}` },
          }),
        );
      }
    }
    const crashes = world.lab.host('h1').restarts();
    return [...rows, row({ what: 'crashes of ovs-vswitchd', unit: '', samples: [crashes], target: NONE })];
  },
};
