/**
 * Requests per second and bytes per second through a VIP of placement switch and one of placement namespace, against the
 * same traffic straight to a member over a bridge that only switches. Client and members are VMs of one host:
 *
 *     wrk ── c1 ──[ bridge ]── m1 … m4 (nginx)
 *
 * The bridges belong to labs of their own, alike but for hostlb: addresses and ports used on one are never seen by
 * another, so no connection in TIME_WAIT disturbs.
 */
import type { Placement } from '../src/model/types.ts';
import { type Bench, type BenchOptions, repetitions } from './lib/bench.ts';
import { apply, type BenchLab, execIn, serves, startLab, web } from './lib/lab.ts';
import { startNginx } from './lib/nginx.ts';
import { type Row, type RowInit, row } from './lib/report.ts';

const VIP = '10.0.0.100';
const MEMBERS = ['10.0.0.21', '10.0.0.22', '10.0.0.23', '10.0.0.24'] as const;
const RUN_S = 2;
const KINDS = [
  { what: 'requests/s, keep-alive', options: [], least: 0.82 },
  { what: 'requests/s, a connection each', options: ['-H', 'Connection: close'], least: 0.68 },
] as const;

async function start(name: string, { bare = false }): Promise<BenchLab> {
  const members = MEMBERS.map((ip, index) => ({ name: `m${index + 1}`, host: 'h1', ips: [ip] }));
  const client = { name: 'c1', host: 'h1', ips: ['10.0.0.11'] };
  const lab = await startLab({ name, hosts: ['h1'], vms: [client, ...members], bare });
  await startNginx(
    lab,
    members.map((member) => member.name),
  );
  // A connection per request would run out of local ports.
  const settings = 'cd /proc/sys/net/ipv4; echo 1 >tcp_tw_reuse; echo 1024 65000 >ip_local_port_range';
  await execIn(lab, 'c1', ['sh', '-c', settings]);
  return lab;
}

/** `count` load balancers of the same members; only the first has traffic. */
async function balance(lab: BenchLab, count: number, placement: Placement = 'switch'): Promise<void> {
  const all = Array.from({ length: count }, (_, index) => {
    const vip = index === 0 ? VIP : `10.0.1.${index}`;
    return web({ name: `web${index}`, vips: [vip], members: MEMBERS, placement });
  });
  await apply(lab, { load_balancers: all });
  await serves(lab, 'c1', `http://${VIP}/`);
}

async function requestsPerSecond(lab: BenchLab, address: string, options: readonly string[]): Promise<number> {
  const url = `http://${address}/`;
  const text = await execIn(lab, 'c1', ['wrk', '-t1', '-c16', `-d${RUN_S}s`, ...options, url]);
  const rate = Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1]);
  if (!(rate > 0)) throw new Error(`wrk ${url}: ${text}`);
  return rate;
}

async function megabitPerSecond(lab: BenchLab, address: string): Promise<number> {
  const text = await execIn(lab, 'c1', [
    'curl',
    '-sf',
    '-o',
    '/dev/null',
    '-w',
    '%{speed_download}',
    `http://${address}/big`,
  ]);
  return (Number(text) * 8) / 1e6;
}

/** Measures on all labs in turn; the ratios are medians of those within one turn. */
async function inTurn(
  labs: Readonly<Record<'plain' | 'one' | 'many' | 'outside', BenchLab>>,
  { turns, measure }: { readonly turns: number; readonly measure: (lab: BenchLab, address: string) => Promise<number> },
) {
  const samples = { plain: [] as number[], one: [] as number[], many: [] as number[], outside: [] as number[] };
  for (let turn = 0; turn < turns; turn++) {
    samples.plain.push(await measure(labs.plain, MEMBERS[turn % MEMBERS.length]!));
    samples.one.push(await measure(labs.one, VIP));
    samples.many.push(await measure(labs.many, VIP));
    samples.outside.push(await measure(labs.outside, VIP));
  }
  return samples;
}

function rowsOf(what: string, unit: string, samples: Awaited<ReturnType<typeof inTurn>>, least?: number): Row[] {
  const yardstick = { what: 'only switched', samples: samples.plain };
  const init: Omit<RowInit, 'what' | 'samples'> = {
    unit,
    yardstick,
    ...(least && { target: { limit: '>=', value: least } }),
  };
  return [
    row({ ...init, what, samples: samples.one }),
    row({
      what: `${what}, 200 load balancers`,
      unit,
      samples: samples.many,
      yardstick: { what: 'with one', samples: samples.one },
    }),
    row({ what: `${what}, namespace`, unit, samples: samples.outside, yardstick }),
  ];
}

export const throughput: Bench = {
  title: 'placement switch unless told, client and 4 members on one host (wrk -t1 -c16)',
  async run(options: BenchOptions) {
    options.log('four labs');
    const starting = [start('tp', { bare: true }), start('t1', {}), start('tm', {}), start('tn', {})] as const;
    const [plain, one, many, outside] = await Promise.all(starting);
    const labs = { plain, one, many, outside };
    await balance(labs.one, 1);
    await balance(labs.many, 200);
    await balance(labs.outside, 1, 'namespace');
    const rows: Row[] = [];
    for (const kind of KINDS) {
      options.log(kind.what);
      const measure = (lab: BenchLab, address: string) => requestsPerSecond(lab, address, kind.options);
      const turns = repetitions(9, options);
      rows.push(...rowsOf(kind.what, '/s', await inTurn(labs, { turns, measure }), kind.least));
    }
    options.log('one big file');
    const turns = repetitions(9, options);
    rows.push(...rowsOf('one TCP connection', 'Mbit/s', await inTurn(labs, { turns, measure: megabitPerSecond })));
    return rows;
  },
};
