/**
 * Load balancers change under load, in each placement that has HAProxy: servers come, get other weights, drain and go,
 * and the agent is killed. A client per load balancer opens a connection for each page and has no second try.
 */
import type { VmRequest } from '../src/lab/index.ts';
import type { Placement } from '../src/model/types.ts';
import { containerImage } from '../test/support/container-image.ts';
import { vmImages } from '../test/support/vm-images.ts';
import type { Bench, BenchOptions } from './lib/bench.ts';
import { apply, type BenchLab, type Load, runTool, serves, startLab, tool, web } from './lib/lab.ts';
import { startNginx } from './lib/nginx.ts';
import { type Row, row } from './lib/report.ts';

/**
 * Load balancers that change together, and connections in a second through each. A virtual machine is one of its own: where
 * it is emulated it serves less, and a change takes it seconds.
 */
const GROUPS = [
  { placements: ['namespace', 'container'], rate: 100, turns: 3 },
  { placements: ['vm'], rate: 20, turns: 1 },
] as const;
type Group = (typeof GROUPS)[number];
const PLACEMENTS = GROUPS.flatMap(({ placements }) => placements);
const SECONDS = 10;
/** As long as that may be too short for every kind of change. */
const MAX_TURNS = 12;
/** Of failures. */
const SHOWN = 5;
const HOST = 'h1';
const MEMBERS = [21, 22, 23, 24] as const;
const clientOf = (placement: Placement): string => `c-${placement}`;
const vipOf = (placement: Placement): string => `10.0.0.10${PLACEMENTS.indexOf(placement as never)}`;

/** Weights of the members, in turn; a member without one is not there. */
type Weights = readonly (number | undefined)[];
const RESTART = 'the agent is killed and started';
/** What happens, again and again. */
const STEPS: readonly (Weights | typeof RESTART)[] = [
  [1, 1, 1], // a server is added
  [1, 1, 1, 1], // another
  [5, 1, 100, 2], // weights change
  [5, 1, 100, 0], // a server drains
  [5, 1, 100], // and goes
  RESTART,
  [1, 1], // a server goes without having drained
];

function configure(lab: BenchLab, { placements }: Group, weights: Weights): Promise<void> {
  const members = weights.flatMap((weight, at) =>
    weight === undefined ? [] : [{ address: `10.0.0.${MEMBERS[at]}`, weight }],
  );
  const load_balancers = placements.map((placement) =>
    web({ name: placement, vips: [vipOf(placement)], members, placement, owner: 'tenant' }),
  );
  return apply(lab, { load_balancers });
}

async function start(): Promise<BenchLab> {
  await Promise.all([containerImage(), vmImages()]);
  const clients = PLACEMENTS.map((placement, index): VmRequest => {
    return { name: clientOf(placement), host: HOST, owner: 'tenant', ips: [`10.0.0.1${index}`] };
  });
  const servers = MEMBERS.map((last): VmRequest => {
    return { name: `s${last}`, host: last % 2 === 0 ? HOST : 'h2', owner: 'service', ips: [`10.0.0.${last}`] };
  });
  const lab = await startLab({ name: 'c', hosts: [HOST, 'h2'], vms: [...clients, ...servers] });
  await startNginx(
    lab,
    servers.map(({ name }) => name),
  );
  return lab;
}

interface Made {
  configurations: number;
  restarts: number;
}

/** Makes one change after the other until it is over, and counts them. */
async function change(lab: BenchLab, group: Group, { made, isOver }: { made: Made; isOver: () => boolean }) {
  for (let at = 0; !isOver(); at++) {
    const step = STEPS[at % STEPS.length]!;
    if (step === RESTART) {
      await lab.stopAgent(HOST, { force: true });
      lab.startAgent(HOST);
      made.restarts++;
    } else {
      await configure(lab, group, step);
      made.configurations++;
    }
  }
}

/** Loads a group of load balancers while they change, until each kind of change has been made. */
async function underLoad(lab: BenchLab, group: Group, options: BenchOptions): Promise<Row[]> {
  const { placements, rate } = group;
  options.log(`${placements.join(', ')}: first configuration`);
  await configure(lab, group, [1, 1]);
  for (const placement of placements) await serves(lab, clientOf(placement), `http://${vipOf(placement)}/`);
  const made = { configurations: 0, restarts: 0 };
  const turns = Math.max(1, Math.round(group.turns * options.scale));
  const loads: Load[][] = [];
  let isOver = false;
  const changing = change(lab, group, { made, isOver: () => isOver });
  try {
    while (loads.length < turns || made.configurations + made.restarts < STEPS.length) {
      if (loads.length === MAX_TURNS)
        throw new Error(`only ${made.configurations} changes in ${MAX_TURNS * SECONDS} s`);
      options.log(`${placements.join(', ')}: ${SECONDS} s of load, turn ${loads.length + 1}`);
      const load = (placement: Placement) =>
        runTool<Load>(lab, clientOf(placement), tool('load', rate, SECONDS, vipOf(placement)));
      loads.push(await Promise.all(placements.map(load)));
    }
  } finally {
    isOver = true;
    await changing;
  }
  const { configurations, restarts } = made;
  return placements.flatMap((placement, index) => {
    const own = loads.map((turn) => turn[index]!);
    const failures = own.flatMap(({ failed }) => failed);
    for (const failure of failures.slice(0, SHOWN)) console.error(`${placement}: ${failure.join(' s: ')}`);
    const attempts = own.reduce((sum, load) => sum + load.attempts, 0);
    const during = `${configurations} changes, ${restarts} agents killed`;
    return [
      row({
        what: `${placement}: failed of ${attempts} at ${rate}/s, ${during}`,
        ...{ unit: '', samples: [failures.length], target: { limit: '<=', value: 0 } },
      }),
      row({ what: `${placement}: a page`, unit: 'ms', samples: own.flatMap(({ ms }) => ms) }),
    ];
  });
}

export const changes: Bench = {
  title: 'load balancers change under load',
  async run(options) {
    options.log('images and lab');
    const lab = await start();
    const rows: Row[] = [];
    for (const group of GROUPS) rows.push(...(await underLoad(lab, group, options)));
    return rows;
  },
};
