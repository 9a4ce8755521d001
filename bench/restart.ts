/**
 * The controller is killed and started again under traffic, over three hosts and both placements:
 *
 *     second 0 ─── traffic ── 2: kill -9 ── lookups ── 5: started ── in sync ── 9: end
 *
 * and what a start sends: nothing where nothing changed, and to a switch with 9,990 of 10,000 flows the 10 others.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { createSwitchDriver, type SwitchLayers } from '../src/host/switch-driver.ts';
import { dialSession } from '../src/openflow/index.ts';
import { flowItem } from '../src/pipeline/items.ts';
import { createReconciler, type Driver } from '../src/reconcile/reconciler.ts';
import type { Item } from '../src/util/item.ts';
import { type Bench, repetitions } from './lib/bench.ts';
import { apply, type BenchLab, execIn, type Load, OUR_FLOWS, runTool, serves, startLab, tool, web } from './lib/lab.ts';
import { manyFlows } from './lib/many-flows.ts';
import { startNginx } from './lib/nginx.ts';
import { type Row, row } from './lib/report.ts';

const HOSTS = ['h1', 'h2', 'h3'] as const;
const MEMBERS = ['10.0.0.21', '10.0.0.22', '10.0.0.23'] as const;
const CASES = [
  { placement: 'switch', vips: ['10.0.0.100', 'fd00::100'] },
  { placement: 'namespace', vips: ['10.0.0.101', 'fd00::101'] },
] as const;
const NONE = { limit: '<=', value: 0 } as const;
const RATE = 100;
const SECONDS = 9;

async function start(): Promise<BenchLab> {
  const vms = HOSTS.flatMap((host, index) => [
    { name: `c${index + 1}`, host, ips: [`10.0.0.1${index + 1}`, `fd00::1${index + 1}`] },
    { name: `s${index + 1}`, host, ips: [MEMBERS[index]!] },
  ]);
  const lab = await startLab({ name: 'r', hosts: HOSTS, vms });
  await startNginx(lab, ['s1', 's2', 's3']);
  await apply(lab, {
    load_balancers: CASES.map(({ placement, vips }) => web({ name: placement, vips, members: MEMBERS, placement })),
  });
  for (const { vips } of CASES)
    for (const client of ['c1', 'c2', 'c3']) await serves(lab, client, `http://${vips[0]}/`);
  return lab;
}

/** Makes the switch log each OpenFlow message, and answers how many changes of flows or groups it got since. */
async function countChanges(lab: BenchLab, host: string): Promise<() => number> {
  for (const words of [
    ['vlog/set', 'vconn:file:dbg'],
    ['vlog/disable-rate-limit', 'vconn'],
  ]) {
    await execIn(lab, host, ['ovs-appctl', ...words]);
  }
  const path = `${lab.paths.host(host)}/ovs-vswitchd.log`;
  const { length } = readFileSync(path, 'utf8');
  return () => {
    const log = readFileSync(path, 'utf8').slice(length);
    // A controller that starts reads the flows; if that is not in the log, the rest would not be either.
    if (!/received: OFPST_FLOW request/.test(log)) throw new Error(`${path} does not tell what ${host} receives`);
    return log.match(/received: OFPT_(FLOW_MOD|GROUP_MOD|BUNDLE_ADD_MESSAGE)/g)?.length ?? 0;
  };
}

/** Kills and starts the controller under traffic. */
async function underTraffic(lab: BenchLab) {
  const changes = await Promise.all(HOSTS.map((host) => countChanges(lab, host)));
  const loads = CASES.map(({ vips }, at) => runTool<Load>(lab, `c${at + 1}`, tool('load', RATE, SECONDS, vips[0])));
  await delay(2000);
  await lab.stopController({ force: true });
  const killed = performance.now();
  const addresses = CASES.flatMap(({ vips }) => vips);
  const asked = await runTool<Record<string, { unanswered: number; us: number[] }>>(
    lab,
    'c3',
    tool('lookup', 'eth0', 100, 1, '-', ...addresses),
  );
  await delay(Math.max(0, 3000 - (performance.now() - killed)));
  lab.startController();
  const results = await Promise.all(loads);
  await inSync(lab);
  const unanswered = Object.values(asked).reduce((sum, answers) => sum + answers.unanswered, 0);
  return { results, unanswered, sent: changes.reduce((sum, count) => sum + count(), 0) };
}

/** Resolves when the new controller has read every switch and found it as it should be. */
async function inSync(lab: BenchLab): Promise<void> {
  const deadline = performance.now() + 20_000;
  for (;;) {
    const answer = await fetch(`${lab.api}/v1/hosts`).catch(() => undefined);
    const hosts = answer === undefined ? [] : ((await answer.json()) as { hosts: { status: unknown }[] }).hosts;
    if (hosts.length > 0 && hosts.every((host) => JSON.stringify(host.status).includes('"connected"'))) return;
    if (performance.now() > deadline) throw new Error('the restarted controller does not connect to all hosts');
    await delay(100);
  }
}

/** A reconciler over a real switch, run until in sync; what it sent. */
async function reconciled(lab: BenchLab, flows: ReadonlyMap<string, Item<SwitchLayers['flows']>>): Promise<number> {
  const session = await dialSession(lab.host('h1').openflow, { versions: ['1.5'] });
  let sent = 0;
  const real = createSwitchDriver(session);
  const driver: Driver<SwitchLayers> = {
    read: () => real.read(),
    apply: (plan) => {
      for (const { put, remove } of [plan.groups, plan.flows]) sent += put.length + remove.length;
      return real.apply(plan);
    },
  };
  const done = new AbortController();
  try {
    await new Promise<void>((resolve, reject) => {
      const events = { applied: () => resolve(), failed: reject };
      const reconciler = createReconciler<SwitchLayers>({
        desired: { flows, groups: new Map(), meters: new Map() },
        driver,
        events,
        auditMs: 1e9,
      });
      reconciler.changed({ flows: [], groups: [], meters: [] }, 1);
      void reconciler.run(done.signal);
    });
  } finally {
    done.abort();
    session.close();
  }
  return sent;
}

async function afterLoss(): Promise<Row[]> {
  const lab = await startLab({ name: 'd', hosts: ['h1'], vms: [], bare: true });
  const flows = new Map(manyFlows(10_000).map((flow) => [flowItem(flow).key, flowItem(flow)]));
  const first = await reconciled(lab, flows);
  const { openflow } = lab.host('h1');
  const lost = Array.from({ length: 10 }, (_, n) => `table=200,tcp,nw_dst=10.0.${n}.7,tp_dst=80`).join('\n');
  await execIn(lab, 'h1', ['ovs-ofctl', '-OOpenFlow15', 'del-flows', openflow, '-'], `${lost}\n`);
  const left = (await execIn(lab, 'h1', ['ovs-ofctl', '-OOpenFlow15', 'dump-flows', openflow, OUR_FLOWS])).match(
    /cookie=/g,
  );
  const second = await reconciled(lab, flows);
  const unit = 'flow_mods';
  return [
    row({ what: '10,000 flows to an empty switch', unit, samples: [first] }),
    row({
      what: `10,000 flows to one that has ${left?.length}`,
      unit,
      samples: [second],
      target: { limit: '<=', value: 10 },
    }),
  ];
}

export const restart: Bench = {
  title: `controller killed and started again, ${RATE} connections/s through each VIP`,
  async run(options) {
    const lab = await start();
    const runs: Awaited<ReturnType<typeof underTraffic>>[] = [];
    for (let turn = 0; turn < repetitions(3, options); turn++) {
      options.log(`kill ${turn + 1}`);
      runs.push(await underTraffic(lab));
    }
    const rows = CASES.map(({ placement }, at) => {
      const loads = runs.map(({ results }) => results[at]!);
      const attempts = loads.reduce((sum, load) => sum + load.attempts, 0);
      for (const { failed } of loads)
        for (const failure of failed) console.error(`${placement}: ${failure.join(' s: ')}`);
      const failed = loads.map((load) => load.failed.length);
      return row({ what: `${placement}: failed connections of ${attempts}`, unit: '', samples: failed, target: NONE });
    });
    const unanswered = runs.map((run) => run.unanswered);
    const sent = runs.map((run) => run.sent);
    rows.push(
      row({ what: 'lookups unanswered while it is dead, of 400', unit: '', samples: unanswered, target: NONE }),
      row({ what: 'changes sent to 3 switches by a start', unit: '', samples: sent, target: NONE }),
    );
    options.log('10,000 flows');
    return [...rows, ...(await afterLoss())];
  },
};
