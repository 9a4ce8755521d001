/**
 * New connections through VIPs of placement switch: chosen by the slot table, and by the controller. Client and members are
 * VMs of one host. Each load balancer has members of its own, so that no connection in TIME_WAIT meets another.
 */
import type { Algorithm } from '../src/model/types.ts';
import { type Bench, repetitions } from './lib/bench.ts';
import { apply, type BenchLab, execIn, manyPorts, serves, startLab, web } from './lib/lab.ts';
import { startNginx } from './lib/nginx.ts';
import { type Row, row } from './lib/report.ts';

interface Subject {
  readonly algorithm: Algorithm;
  readonly vip: string;
  readonly members: readonly string[];
}

const SUBJECTS: readonly Subject[] = (['SOURCE_IP_PORT', 'ROUND_ROBIN', 'LEAST_CONNECTIONS'] as const).map(
  (algorithm, i) => ({ algorithm, vip: `10.0.0.10${i}`, members: [1, 2, 3].map((n) => `10.0.0.${20 + 3 * i + n}`) }),
);
const RUN_S = 2;
const KINDS = [
  { what: 'a connection and its page, one after the other', unit: 'ms', clients: 1 },
  { what: 'connections/s, 16 at a time', unit: '/s', clients: 16 },
] as const;

async function start(): Promise<BenchLab> {
  const members = SUBJECTS.flatMap((subject) => subject.members).map((ip, i) => ({
    name: `m${i + 1}`,
    ...{ host: 'h1', ips: [ip] },
  }));
  const lab = await startLab({
    name: 'ch',
    hosts: ['h1'],
    vms: [{ name: 'c1', host: 'h1', ips: ['10.0.0.11'] }, ...members],
  });
  await startNginx(
    lab,
    members.map(({ name }) => name),
  );
  await manyPorts(lab, 'c1');
  const all = SUBJECTS.map(({ algorithm, vip, members }) =>
    web({ name: algorithm.toLowerCase(), vips: [vip], members, algorithm }),
  );
  await apply(lab, { load_balancers: all });
  for (const { vip } of SUBJECTS) await serves(lab, 'c1', `http://${vip}/`);
  return lab;
}

async function perSecond(lab: BenchLab, vip: string, clients: number): Promise<number> {
  const words = ['wrk', '-t1', `-c${clients}`, `-d${RUN_S}s`, '-H', 'Connection: close', `http://${vip}/`];
  const text = await execIn(lab, 'c1', words);
  const rate = Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1]);
  if (!(rate > 0) || text.includes('Socket errors: connect')) throw new Error(`wrk ${vip}: ${text}`);
  return rate;
}

export const choosing: Bench = {
  title: 'placement switch, client and members on one host (wrk, a connection for each page)',
  async run(options) {
    options.log('lab');
    const lab = await start();
    const rows: Row[] = [];
    for (const { what, unit, clients } of KINDS) {
      options.log(what);
      const samples = SUBJECTS.map((): number[] => []);
      for (let turn = 0; turn < repetitions(9, options); turn++) {
        for (const [i, { vip }] of SUBJECTS.entries()) {
          const rate = await perSecond(lab, vip, clients);
          samples[i]!.push(unit === 'ms' ? 1000 / rate : rate);
        }
      }
      const yardstick = { what: 'slot table', samples: samples[0]! };
      for (const [i, { algorithm }] of SUBJECTS.entries()) {
        rows.push(row({ what: `${what}, ${algorithm}`, unit, samples: samples[i]!, ...(i > 0 && { yardstick }) }));
      }
    }
    return rows;
  },
};
