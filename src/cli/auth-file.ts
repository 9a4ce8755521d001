/** The file of `hostlb controller --auth`. */
import { readFile, stat } from 'node:fs/promises';
import { type AuthConfig, checkAuthConfig } from '../api/auth/config.ts';
import { CliError } from './io.ts';

const LONGEST_BYTES = 1024 * 1024;

/** Throws CliError for a file that cannot be read, that others can read, or that makes no sense. */
export async function readAuthFile(path: string): Promise<AuthConfig> {
  try {
    const { mode, size } = await stat(path);
    if ((mode & 0o007) !== 0) throw new Error('everybody on this machine can read it: chmod o= it');
    if (size > LONGEST_BYTES) throw new Error('it is longer than 1 MiB');
    const { parse } = await import('yaml');
    return checkAuthConfig(parse(await readFile(path, 'utf8'), { prettyErrors: false }));
  } catch (error) {
    throw new CliError(`${path}: ${(error as Error).message}`);
  }
}
