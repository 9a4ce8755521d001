/**
 * What load balancing costs the traffic: through VIPs of several kinds, against the same over a bridge that only switches.
 *
 *     c1 ──[ plain bridge ]── m1 … m4 (nginx)          the reference; on it, c1 ── p1 (central HAProxy) ── m1 … m4
 *     c1 ──[ bridge with hostlb ]── m1 … m4            one lab for each kind; c2 asks members themselves
 *
 * The bridges belong to labs of their own, alike but for hostlb: addresses and ports used on one are never seen by
 * another, so no connection in TIME_WAIT disturbs. Paths are measured in turn, each beside its reference.
 */
import { type Bench, type BenchOptions, repetitions } from './lib/bench.ts';
import { clientOf, crowd } from './lib/controller.ts';
import { centralProxy } from './lib/haproxy.ts';
import { apply, type BenchLab, manyPorts, serves, startLab, type WebPlan, WIDE, web } from './lib/lab.ts';
import { startNginx } from './lib/nginx.ts';
import { countPasses } from './lib/passes.ts';
import { cpuMs } from './lib/processes.ts';
import { type Row, row } from './lib/report.ts';
import { megabitPerSecond, requests } from './lib/wrk.ts';

const VIP = '10.0.0.100';
const PROXY = '10.0.0.30';
/** Has a web server, and is nobody's member. */
const ASIDE = '10.0.0.31';
const SERVERS = ['m1', 'm2', 'm3', 'm4', 'a1'];
const MEMBERS = ['10.0.0.21', '10.0.0.22', '10.0.0.23', '10.0.0.24'];
const CLIENTS = { c1: '10.0.0.11', c2: '10.0.0.12' } as const;
/** With a connection each a run begins with misses in the fast path, which forgets within the time between two. */
const RUN_S = { kept: 1, close: 2 } as const;

const LABS = ['plain', 'one', 'many', 'direct', 'namespace'] as const;
type Labs = Readonly<Record<(typeof LABS)[number], BenchLab>>;

interface Path {
  readonly what: string;
  readonly lab: keyof Labs;
  readonly client: keyof typeof CLIENTS;
  /** In turn. */
  readonly addresses: readonly string[];
}

const PATHS = {
  plain: { what: 'only switched', lab: 'plain', client: 'c1', addresses: MEMBERS },
  one: { what: 'VIP', lab: 'one', client: 'c1', addresses: [VIP] },
  many: { what: 'VIP, 1,000 load balancers', lab: 'many', client: 'c1', addresses: [VIP] },
  direct: { what: 'VIP, return path direct', lab: 'direct', client: 'c1', addresses: [VIP] },
  member: { what: 'a member itself, beside the VIP', lab: 'one', client: 'c2', addresses: MEMBERS },
  aside: { what: 'a VM that is no member, beside the VIP', lab: 'one', client: 'c2', addresses: [ASIDE] },
  namespace: { what: 'VIP, namespace', lab: 'namespace', client: 'c1', addresses: [VIP] },
  central: { what: 'one central HAProxy', lab: 'plain', client: 'c1', addresses: [PROXY] },
} as const satisfies Readonly<Record<string, Path>>;
type PathName = keyof typeof PATHS;

/** Measured one after the other, each but the first against one that came before. What is slow is measured less often. */
const ROUNDS: readonly { readonly times: number; readonly pairs: readonly [PathName, against: PathName | ''][] }[] = [
  {
    times: 9,
    pairs: [
      ['plain', ''],
      ['one', 'plain'],
      ['many', 'one'],
    ],
  },
  {
    times: 9,
    pairs: [
      ['plain', ''],
      ['direct', 'plain'],
      ['member', 'plain'],
    ],
  },
  {
    times: 3,
    pairs: [
      ['plain', ''],
      ['namespace', 'plain'],
      ['central', 'plain'],
    ],
  },
];

interface Kind {
  readonly what: string;
  readonly unit: string;
  readonly targets: Partial<Record<PathName, number>>;
  /** What was measured for OVN and HAProxy, against a plain bridge too. */
  readonly peers: Partial<Record<PathName, string>>;
  measure(lab: BenchLab, vm: string, address: string): Promise<Result>;
}

interface Result {
  readonly value: number;
  readonly p99Ms?: number;
  /** CPU time of ovs-vswitchd for each request. */
  readonly cpuUs?: number;
}

const request =
  (close: boolean): Kind['measure'] =>
  async (lab, vm, address) => {
    const vswitchd = [lab.host('h1').pids().vswitchd!];
    const before = cpuMs(vswitchd);
    const {
      perSecond: value,
      p99Ms,
      count,
    } = await requests(lab, { vm, address, seconds: close ? RUN_S.close : RUN_S.kept, close });
    return { value, p99Ms, cpuUs: ((cpuMs(vswitchd) - before) / count) * 1000 };
  };

const KINDS: readonly Kind[] = [
  {
    ...{ what: 'requests/s, keep-alive', unit: '/s', measure: request(false) },
    targets: { one: 0.88, many: 0.95, direct: 0.95 },
    peers: { one: 'OVN 0.80', member: 'OVN 0.91', central: '0.43' },
  },
  {
    ...{ what: 'requests/s, a connection each', unit: '/s', measure: request(true) },
    targets: { one: 0.75, many: 0.95, direct: 0.85 },
    peers: { one: 'OVN 0.68', member: 'OVN 0.81', central: '0.33' },
  },
  {
    ...{ what: 'one TCP connection', unit: 'Mbit/s', targets: { one: 0.9, many: 0.95 } },
    peers: { one: 'OVN 0.84', member: 'OVN 0.87' },
    measure: async (lab, vm, address) => ({ value: await megabitPerSecond(lab, vm, address) }),
  },
];

async function startOne(kind: keyof Labs): Promise<BenchLab> {
  const members = MEMBERS.map((ip, index) => ({ name: `m${index + 1}`, host: 'h1', ips: [ip] }));
  const clients = Object.entries(CLIENTS).map(([name, ip]) => ({ name, host: 'h1', ips: [ip] }));
  const proxy = { name: 'p1', host: 'h1', ips: [PROXY] };
  const aside = { name: 'a1', host: 'h1', ips: [ASIDE] };
  const vms = [...clients, ...members, proxy, aside];
  const lab = await startLab({ name: `d${kind[0]}`, hosts: ['h1'], networks: [WIDE], vms, bare: kind === 'plain' });
  await startNginx(lab, SERVERS);
  for (const { name } of [...clients, proxy]) await manyPorts(lab, name);
  return lab;
}

async function start(log: BenchOptions['log']): Promise<Labs> {
  log('labs');
  const labs = Object.fromEntries(await Promise.all(LABS.map(async (kind) => [kind, await startOne(kind)]))) as Labs;
  const plans: Partial<Record<keyof Labs, Partial<WebPlan>>> = {
    ...{ one: {}, many: {}, direct: { returnPath: 'direct' }, namespace: { placement: 'namespace' } },
  };
  for (const [kind, plan] of Object.entries(plans) as [keyof Labs, Partial<WebPlan>][]) {
    log(`load balancers of ${kind}`);
    await apply(labs[kind], { load_balancers: [web({ name: 'web', vips: [VIP], members: MEMBERS, ...plan })] });
    if (kind === 'many') await crowd(clientOf(labs.many), { to: 999, members: MEMBERS });
    await serves(labs[kind], 'c1', `http://${VIP}/`);
  }
  await centralProxy(labs.plain, { vm: 'p1', address: PROXY, members: MEMBERS });
  await serves(labs.plain, 'c1', `http://${PROXY}/`);
  return labs;
}

interface Sample extends Result {
  /** Measured just before. */
  readonly against: Result | undefined;
}

/** One kind of traffic on all paths, in turn. */
async function inTurn(labs: Labs, kind: Kind, options: BenchOptions): Promise<Map<PathName, Sample[]>> {
  const samples = new Map<PathName, Sample[]>();
  for (const { times, pairs } of ROUNDS) {
    for (let turn = 0; turn < repetitions(times, options); turn++) {
      const round = new Map<PathName, Sample>();
      for (const [name, reference] of pairs) {
        options.log(`${kind.what}: ${PATHS[name].what}, ${turn + 1}`);
        const { lab, client, addresses } = PATHS[name];
        const result = await kind.measure(labs[lab], client, addresses[turn % addresses.length]!);
        round.set(name, { ...result, against: reference === '' ? undefined : round.get(reference) });
      }
      for (const [name, sample] of round) samples.set(name, [...(samples.get(name) ?? []), sample]);
    }
  }
  return samples;
}

function rowsOf(kind: Kind, samples: ReadonlyMap<PathName, readonly Sample[]>): Row[] {
  const figures = [
    { what: kind.what, unit: kind.unit, of: ({ value }: Result) => value },
    { what: `${kind.what}, 99th percentile`, unit: 'ms', of: ({ p99Ms }: Result) => p99Ms },
    { what: `${kind.what}, CPU of ovs-vswitchd for one`, unit: 'µs', of: ({ cpuUs }: Result) => cpuUs },
  ] as const;
  const references = new Map(ROUNDS.flatMap(({ pairs }) => pairs));
  return figures.flatMap(({ what, unit, of }, figure) =>
    [...samples].flatMap(([name, taken]): Row[] => {
      if (of(taken[0]!) === undefined) return [];
      const reference = references.get(name);
      const [least, peer] = figure === 0 ? [kind.targets[name], kind.peers[name]] : [];
      return [
        row({
          ...{ what: `${what}: ${PATHS[name].what}`, unit, samples: taken.map((one) => of(one)!) },
          ...(reference && {
            yardstick: { what: PATHS[reference].what, samples: taken.map(({ against }) => of(against!)!) },
          }),
          ...(least && { target: { limit: '>=', value: least } }),
          ...(peer && { peer }),
        }),
      ];
    }),
  );
}

/** What each packet takes of the fast path. Exact: the machine's other work does not show. */
const COUNTED: readonly PathName[] = ['plain', 'one', 'direct', 'member', 'aside'];

async function passesOf(labs: Labs): Promise<Row[]> {
  const rows: Row[] = [];
  const add = (what: string, sample: number) => rows.push(row({ what, unit: '', samples: [sample] }));
  for (const name of COUNTED) {
    const { what, lab, client, addresses } = PATHS[name];
    const address = addresses[0]!;
    for (const [from, vms] of [
      ['there', [client]],
      ['back', SERVERS],
    ] as const) {
      const traffic = (close: boolean) => () => requests(labs[lab], { vm: client, address, seconds: 1, close });
      const kept = await countPasses(labs[lab], vms, traffic(false));
      add(`${what}, ${from}: lookups of a packet`, kept.lookups);
      add(`${what}, ${from}: conntrack passes of a packet`, kept.conntrack);
      const { megaflows } = await countPasses(labs[lab], vms, traffic(true));
      add(`${what}, ${from}: megaflows, a connection each`, megaflows);
    }
  }
  return rows;
}

export const datapath: Bench = {
  title: 'placement switch unless told, client and 4 members on one host (wrk -t1 -c16)',
  async run(options) {
    const labs = await start(options.log);
    options.log('passes');
    const rows = await passesOf(labs);
    for (const kind of KINDS) rows.push(...rowsOf(kind, await inTurn(labs, kind, options)));
    const crashes = LABS.map((kind) => labs[kind].host('h1').restarts());
    const sum = crashes.reduce((all, one) => all + one, 0);
    rows.push(row({ what: 'crashes of ovs-vswitchd', unit: '', samples: [sum], target: { limit: '<=', value: 0 } }));
    return rows;
  },
};
