/** Programs that tests run as processes of their own. */
import { rmSync } from 'node:fs';
import { basename } from 'node:path';
import { buildSync } from 'esbuild';
import { packaged } from '../../src/util/paths.ts';

/** The product's program as it was built: from its source it takes four times as long to start. */
export const HOSTLB: readonly [string, string] = [process.execPath, packaged('dist/cli/main.js')];

const bundles = new Map<string, string>();

/** The command line of a program of test/, made one file of plain JavaScript, which starts ten times as fast. */
export function programOf(path: string): readonly [string, string] {
  let file = bundles.get(path);
  if (file === undefined) {
    file = packaged(`node_modules/.cache/hostlb-tests/${basename(path, '.ts')}-${process.pid}.mjs`);
    const how = { bundle: true, platform: 'node', format: 'esm', packages: 'external' } as const;
    buildSync({ entryPoints: [packaged(path)], outfile: file, ...how });
    bundles.set(path, file);
    process.once('exit', () => rmSync(file!, { force: true }));
  }
  return [process.execPath, file];
}
