/** `npm run bench [NAME…] [-- -o json] [--scale F]`: see README.md. */
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { api } from './api.ts';
import { changes } from './changes.ts';
import { choosing } from './choosing.ts';
import { codec } from './codec.ts';
import { compute } from './compute.ts';
import { convergence } from './convergence.ts';
import { datapath } from './datapath.ts';
import { faults } from './faults.ts';
import type { Bench } from './lib/bench.ts';
import { cleanUp, mark } from './lib/clean-up.ts';
import { printTable, type Row } from './lib/report.ts';
import { lookup } from './lookup.ts';
import { plug } from './plug.ts';
import { recovery } from './recovery.ts';
import { restart } from './restart.ts';
import { sandboxes } from './sandboxes.ts';
import { scale } from './scale.ts';

const BENCHES: Readonly<Record<string, Bench>> = {
  lookup,
  plug,
  datapath,
  convergence,
  choosing,
  restart,
  faults,
  sandboxes,
  changes,
  recovery,
  codec,
  compute,
  scale,
  api,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { output: { type: 'string', short: 'o', default: 'table' }, scale: { type: 'string', default: '1' } },
});
const names = positionals.length > 0 ? positionals : Object.keys(BENCHES);
const unknown = names.find((name) => BENCHES[name] === undefined);
if (unknown !== undefined || !['table', 'json'].includes(values.output) || !(Number(values.scale) > 0)) {
  console.error(`usage: npm run bench -- [${Object.keys(BENCHES).join('|')}]… [-o table|json] [--scale FACTOR]`);
  process.exit(2);
}

let running: Promise<readonly Row[]> | undefined;
let interrupted = false;
/** What a bench makes while its lab is being taken away under it goes, too. */
async function interrupt(): Promise<void> {
  interrupted = true;
  await cleanUp();
  await Promise.race([running?.catch(() => {}), delay(5000)]);
  await cleanUp();
  process.exit(130);
}
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void interrupt());

const results: Record<string, readonly Row[]> = {};
const log = (text: string): void => void (process.stderr.isTTY && process.stderr.write(`\r\x1b[K${text}`));
for (const name of names) {
  const { title, run } = BENCHES[name]!;
  const before = mark();
  try {
    running = run({ scale: Number(values.scale), log: (text) => log(`${name}: ${text}`) });
    results[name] = await running;
    log('');
    if (values.output === 'table') console.log(printTable(`${name}: ${title}`, results[name]));
  } catch (error) {
    if (interrupted) await new Promise(() => {});
    log('');
    console.error(`${name}: ${(error as Error).stack}`);
    process.exitCode = 1;
  }
  await cleanUp(before);
}
if (values.output === 'json') console.log(JSON.stringify(results, null, 2));
