import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, ClientError } from '../api/client.ts';
import type { ProgressJson } from '../api/resources.ts';
import { CliError, type Io } from './io.ts';

const FIRST_POLL_MS = 20;
const LONGEST_POLL_MS = 500;

export interface WaitOptions {
  readonly io: Io;
  /** The change number to wait for. */
  readonly generation: number;
  readonly timeoutMs: number;
}

/**
 * Waits until every registered host has applied the change; says so on stderr, on a terminal with a line of progress
 * meanwhile. Throws CliError after the timeout, naming the hosts that lag and why.
 */
export async function waitForHosts(client: Client, { io, generation, timeoutMs }: WaitOptions): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  const line = progressLine(io);
  let pauseMs = FIRST_POLL_MS;
  try {
    for (;;) {
      const { hosts } = (await client.request('GET', '/v1/progress')).body as ProgressJson;
      const missing = hosts.filter((host) => host.applied < generation);
      const summary = `applied on ${hosts.length - missing.length} of ${hosts.length} hosts`;
      if (missing.length === 0) return line.end(summary);
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) throw new CliError(timedOut(missing, timeoutMs));
      line.show(`${summary}, waiting for ${names(missing)}`);
      await sleep(Math.min(pauseMs, leftMs), undefined, { signal: io.signal });
      pauseMs = Math.min(pauseMs * 2, LONGEST_POLL_MS);
    }
  } finally {
    line.clear();
  }
}

export interface WaitForStatusOptions {
  readonly io: Io;
  /** Of the object, as Octavia has it. */
  readonly path: string;
  readonly timeoutMs: number;
}

/**
 * Waits at an API that has no numbers of changes: until the object is no longer PENDING_*, or is gone. Throws CliError when
 * it ends in ERROR, or after the timeout.
 */
export async function waitForStatus(client: Client, { io, path, timeoutMs }: WaitForStatusOptions): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (let pauseMs = FIRST_POLL_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_POLL_MS)) {
    const status = await provisioningStatus(client, path);
    if (status === 'ERROR') throw new CliError(`the change is saved, but has failed: ${path} is in ERROR`);
    if (status === undefined || !status.startsWith('PENDING_')) return;
    const leftMs = deadline - performance.now();
    if (leftMs <= 0) throw new CliError(`after ${timeoutMs / 1000} s ${path} is still ${status}`);
    await sleep(Math.min(pauseMs, leftMs), undefined, { signal: io.signal });
  }
}

/** Undefined: there is no such object, or it has no status. */
async function provisioningStatus(client: Client, path: string): Promise<string | undefined> {
  try {
    const { body } = await client.request('GET', path);
    const [object] = Object.values(body as Record<string, { readonly provisioning_status?: string } | undefined>);
    return object?.provisioning_status;
  } catch (error) {
    if (error instanceof ClientError && error.status === 404) return undefined;
    throw error;
  }
}

type Host = ProgressJson['hosts'][number];

function timedOut(missing: readonly Host[], timeoutMs: number): string {
  const reasons = missing.map(({ name, state, error }) => `${name} (${error === '' ? state : error})`);
  return `after ${timeoutMs / 1000} s the change is saved but not applied on ${reasons.join(', ')}`;
}

const MOST_NAMES = 5;
function names(hosts: readonly Host[]): string {
  const shown = hosts.slice(0, MOST_NAMES).map(({ name }) => name);
  return shown.join(', ') + (hosts.length > MOST_NAMES ? ` and ${hosts.length - MOST_NAMES} more` : '');
}

/** One line that is rewritten on a terminal, and silent elsewhere until its end. */
function progressLine({ stderr }: Io) {
  const erase = stderr.isTTY === true ? '\r\x1b[K' : '';
  let shown = false;
  return {
    show(text: string): void {
      if (erase === '') return;
      stderr.write(`${erase}${text}`);
      shown = true;
    },
    clear(): void {
      if (shown) stderr.write(erase);
      shown = false;
    },
    end(text: string): void {
      this.clear();
      stderr.write(`${text}\n`);
    },
  };
}
