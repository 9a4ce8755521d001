/** What the HTTP API takes: reads, lists and creates, with few and with many load balancers that are somebody else's. */
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Client, createClient } from '../src/api/client.ts';
import type { LoadBalancerJson } from '../src/api/resources.ts';
import { type Bench, type BenchOptions, repetitions } from './lib/bench.ts';
import { defer } from './lib/clean-up.ts';
import { LOAD_BALANCERS, loadBalancers, networks } from './lib/cloud.ts';
import { ControllerProcess } from './lib/cloud-process.ts';
import { startLab, web } from './lib/lab.ts';
import { type Row, row } from './lib/report.ts';

const FEW = 10;
const AT_ONCE = 100;
/** Connections of the test of throughput, and how long it lasts. */
const CONNECTIONS = 16;
const SECONDS = 3;
const LB_PATH = '/v2.0/lbaas/loadbalancers';

async function timeMs(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

async function idsOf(client: Client): Promise<readonly string[]> {
  const { body } = await client.request('GET', `${LB_PATH}?fields=id`);
  return (body as { loadbalancers: { id: string }[] }).loadbalancers.map(({ id }) => id);
}

async function reads(client: Client, options: BenchOptions): Promise<number[]> {
  const ids = await idsOf(client);
  const one = (i: number) => client.request('GET', `${LB_PATH}/${ids[(i * 7) % ids.length]}`);
  for (let i = 0; i < 50; i++) await one(i);
  const samples: number[] = [];
  for (let i = 0; i < repetitions(300, options); i++) samples.push(await timeMs(() => one(i)));
  return samples;
}

/** Requests per second, of a client that does as little as it can. */
async function throughput(client: Client): Promise<number> {
  const ids = await idsOf(client);
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  const end = performance.now() + SECONDS * 1000;
  let count = 0;
  const ask = (id: string) =>
    new Promise<void>((resolve, reject) => {
      get(`${client.url}${LB_PATH}/${id}`, { agent }, (response) => response.resume().on('end', resolve)).on(
        'error',
        reject,
      );
    });
  const asker = async (): Promise<void> => {
    while (performance.now() < end) await ask(ids[count++ % ids.length]!);
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, asker));
  agent.destroy();
  return count / SECONDS;
}

async function lists(client: Client, options: BenchOptions): Promise<{ alone: number[]; all: number[] }> {
  const paths = ['loadbalancers', 'listeners', 'pools', 'healthmonitors'].map((plural) => `/v2.0/lbaas/${plural}`);
  const [alone, all]: [number[], number[]] = [[], []];
  for (let i = 0; i < repetitions(20, options); i++) {
    alone.push(await timeMs(() => client.request('GET', paths[0]!)));
    all.push(await timeMs(() => Promise.all(paths.map((path) => client.request('GET', path)))));
  }
  return { alone, all };
}

/** One member of the same load balancer changed, and changed again. */
async function writes(client: Client, options: BenchOptions): Promise<number[]> {
  const { body } = await client.request('GET', '/v2.0/lbaas/pools?limit=1');
  const [pool] = (body as { pools: { id: string; members: { id: string }[] }[] }).pools;
  const path = `/v2.0/lbaas/pools/${pool!.id}/members/${pool!.members[0]!.id}`;
  const samples: number[] = [];
  for (let i = 0; i < repetitions(100, options); i++) {
    samples.push(await timeMs(() => client.request('PUT', path, { member: { weight: 1 + (i % 100) } })));
  }
  return samples;
}

/** From the request until the API says ACTIVE, with three hosts that have a client each. */
async function creates(options: BenchOptions): Promise<number[]> {
  const hosts = ['h1', 'h2', 'h3'];
  const lab = await startLab({
    ...{ name: 'api', hosts },
    vms: hosts.map((host, i) => ({ name: `c${i}`, host, network: 'blue', ips: [`10.0.0.${11 + i}`] })),
  });
  const client = createClient({ url: lab.api });
  const samples: number[] = [];
  for (let i = 0; i < repetitions(50, options); i++) {
    const document = web({ name: `lb-${i}`, vips: [`10.0.1.${1 + i}`], members: ['10.0.0.11', '10.0.0.12'] });
    const { listeners, network, name, vips } = document as {
      readonly listeners: readonly { readonly default_pool: object }[];
      readonly network: string;
      readonly name: string;
      readonly vips: readonly string[];
    };
    const nested = listeners.map(({ default_pool: pool, ...listener }) => ({
      ...listener,
      default_pool: { protocol: 'TCP', ...pool },
    }));
    const loadbalancer = { name, vip_network_id: network, vip_address: vips[0], listeners: nested };
    samples.push(
      await timeMs(async () => {
        const { body } = await client.request('POST', LB_PATH, { loadbalancer });
        let { loadbalancer: now } = body as { loadbalancer: LoadBalancerJson };
        while (now.provisioning_status !== 'ACTIVE') {
          await delay(1);
          now = ((await client.request('GET', `${LB_PATH}/${now.id}`)).body as { loadbalancer: LoadBalancerJson })
            .loadbalancer;
        }
      }),
    );
  }
  return samples;
}

export const api: Bench = {
  title: `HTTP API, ${LOAD_BALANCERS} load balancers of 10 members`,
  async run(options) {
    const directory = await mkdtemp(join(tmpdir(), 'hlb-api-'));
    defer(() => rm(directory, { recursive: true, force: true }));
    const controller = await ControllerProcess.prepare(directory);
    await controller.start();
    const { client } = controller;
    await client.request('PUT', '/v1/apply', networks());
    await client.request('PUT', '/v1/apply', loadBalancers(0, FEW));
    options.log(`reads with ${FEW}`);
    const few = { reads: await reads(client, options), writes: await writes(client, options) };
    for (let first = FEW; first < LOAD_BALANCERS; first += AT_ONCE) {
      options.log(`${first} load balancers`);
      await client.request('PUT', '/v1/apply', loadBalancers(first, Math.min(AT_ONCE, LOAD_BALANCERS - first)));
    }
    options.log('reads and lists');
    const many = { reads: await reads(client, options), writes: await writes(client, options) };
    const perSecond = await throughput(client);
    const { alone, all } = await lists(client, options);
    await controller.stop();
    options.log('creates on three hosts');
    const created = await creates(options);
    const against = (samples: readonly number[]) => ({ what: `with ${FEW}`, samples });
    const atMost = (value: number) => ({ limit: '<=', value, of: 'median' }) as const;
    const rows: Row[] = [
      row({ what: 'one read', unit: 'ms', samples: many.reads, yardstick: against(few.reads), target: atMost(5) }),
      row({
        what: `reads, ${CONNECTIONS} at a time`,
        unit: '/s',
        samples: [perSecond],
        target: { limit: '>=', value: 1000 },
      }),
      row({ what: 'list of all', unit: 'ms', samples: alone }),
      row({ what: 'lists of all with their children', unit: 'ms', samples: all, target: atMost(100) }),
      row({ what: 'a member changed', unit: 'ms', samples: many.writes, yardstick: against(few.writes) }),
      row({ what: 'create until ACTIVE on three hosts', unit: 'ms', samples: created, target: atMost(50) }),
    ];
    return rows;
  },
};
