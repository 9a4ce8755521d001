/**
 * Checks that imports in src/ point downwards only. The table is the architecture: what each folder may import
 * besides itself. A folder that is not listed may not exist.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const MAY_IMPORT: Record<string, readonly string[]> = {
  openflow: [],
  ovsdb: [],
  util: [],
  model: ['util'],
  reconcile: ['util'],
  pipeline: ['model', 'util', 'openflow'],
  explain: ['pipeline', 'model', 'util', 'openflow'],
  store: ['model', 'util', 'ovsdb'],
  host: ['store', 'pipeline', 'reconcile', 'model', 'util', 'openflow', 'ovsdb'],
  agent: ['store', 'model', 'util', 'ovsdb'],
  controller: ['host', 'store', 'pipeline', 'reconcile', 'model', 'util'],
  api: ['controller', 'explain', 'store', 'model', 'util'],
  lab: ['model', 'util'],
  cli: ['api', 'lab', 'controller', 'agent', 'explain', 'store', 'model', 'util'],
};

/** Folders that compute only: nothing here may touch files, sockets, processes or timers. */
const NO_IO = ['model', 'pipeline', 'explain', 'reconcile', 'openflow/wire', 'openflow/protocol', 'openflow/text'];
const IO_MODULES = /^node:(fs|net|tls|http|https|dgram|child_process|dns|timers|worker_threads)/;
/** These read the templates in flows/ once, at first use. */
const IO_EXCEPTIONS = ['pipeline/templates.ts', 'explain/templates.ts', 'openflow/wire/print.ts'];

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../src');
const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
const problems: string[] = [];

for (const file of files) {
  const folder = file.split('/')[0]!;
  const allowed = MAY_IMPORT[folder];
  if (allowed === undefined)
    problems.push(`src/${file}: folder ${folder} is not in the table of scripts/check-imports.ts`);
  for (const [, target] of readFileSync(join(root, file), 'utf8').matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)) {
    if (IO_MODULES.test(target!) && NO_IO.some((dir) => file.startsWith(`${dir}/`)) && !IO_EXCEPTIONS.includes(file)) {
      problems.push(`src/${file}: computes only, must not import ${target}`);
    }
    if (!target!.startsWith('.')) continue;
    const to = relative(root, resolve(root, dirname(file), target!)).split('/')[0]!;
    if (to !== folder && allowed !== undefined && !allowed.includes(to)) {
      problems.push(`src/${file}: ${folder} must not import ${to} (${target})`);
    }
  }
}

for (const problem of problems) console.error(problem);
process.exitCode = problems.length > 0 ? 1 : 0;
