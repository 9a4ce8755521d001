/** Runs command lines of `hostlb`: in process with captured streams, or as the real program. */
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import type { Io } from '../../src/cli/io.ts';
import { run } from '../../src/cli/program.ts';
import { HOSTLB } from './program.ts';

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly api?: string | undefined;
  readonly stdin?: string | Uint8Array | undefined;
  /** Whether stderr is a terminal. */
  readonly terminal?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
}

/** One command line in this process. */
export async function hostlb(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const out: string[] = [];
  const err: string[] = [];
  const io: Io = {
    stdout: { write: (chunk) => out.push(chunk) },
    stderr: { write: (chunk) => err.push(chunk), isTTY: options.terminal === true },
    stdin: stdinOf(options.stdin),
    env: { ...(options.api !== undefined && { HOSTLB_API: options.api }), ...options.env },
    signal: options.signal ?? new AbortController().signal,
  };
  const code = await run(args, io);
  return { code, stdout: out.join(''), stderr: err.join('') };
}

async function* stdinOf(content: string | Uint8Array = ''): AsyncGenerator<string | Uint8Array> {
  yield content;
}

/** The real program. */
export async function spawnHostlb(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const child = spawn(HOSTLB[0], [HOSTLB[1], ...args], {
    env: { ...process.env, HOSTLB_API: options.api ?? '', ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stdin.end(options.stdin);
  const kill = (): void => void child.kill('SIGINT');
  options.signal?.addEventListener('abort', kill, { once: true });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { code, stdout, stderr };
}
