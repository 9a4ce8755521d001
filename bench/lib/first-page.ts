/** A client that tries without pause, until its first page. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Lab } from '../../src/lab/index.ts';
import { defer } from './clean-up.ts';
import { tool } from './lab.ts';

const LIMIT_MS = 90_000;

/**
 * Does `event` while a client in the VM stands ready, and resolves to the milliseconds from its beginning to the
 * client's first page from the address. Throws when there is none within 90 s.
 */
export async function timeFirstPage(
  lab: Lab,
  { vm, address }: { readonly vm: string; readonly address: string },
  event: () => Promise<unknown>,
): Promise<number> {
  const { file, args } = lab.command(vm, tool('first_connection', 'eth0', address));
  const client = spawn(file, [...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  defer(async () => client.kill());
  const lines = createInterface({ input: client.stdout })[Symbol.asyncIterator]();
  await lines.next();
  const start = process.hrtime.bigint();
  const happened = event();
  client.stdin.end();
  const overdue = setTimeout(() => client.kill(), LIMIT_MS);
  const { value } = await lines.next();
  clearTimeout(overdue);
  await happened;
  if (value === undefined) throw new Error(`VM ${vm} got no page from ${address} within ${LIMIT_MS / 1000} s`);
  if (client.exitCode === null) await once(client, 'exit');
  return Number(BigInt(value as string) - start) / 1e6;
}
