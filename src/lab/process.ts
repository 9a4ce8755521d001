import { execFile, spawn } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { LabError } from './errors.ts';
import { namespaceFile } from './names.ts';

export interface RunOptions {
  /** Written to the command's standard input. */
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

/** Runs a command to its end and resolves to its standard output. Throws `command_failed` with what it said. */
export function run(file: string, args: readonly string[], { input, env, signal }: RunOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { env: { ...process.env, ...env }, signal, maxBuffer: 16 << 20 };
    const child = execFile(file, args, options, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout);
      const said = stderr.trim().replaceAll('\n', '; ') || error.message.split('\n')[0];
      const command = [file, ...args].join(' ').slice(0, 200);
      reject(signal?.aborted ? signal.reason : new LabError('command_failed', `${command}: ${said}`, { cause: error }));
    });
    // A command that ends without reading its input reports why by itself.
    child.stdin?.on('error', () => {});
    child.stdin?.end(input ?? '');
  });
}

/** A command line that runs in a namespace's network but sees the machine's files and mounts, unlike `ip netns exec`. */
export function inside(namespace: string, file: string, args: readonly string[]): [string, string[]] {
  return ['nsenter', [`--net=${namespaceFile(namespace)}`, '--', file, ...args]];
}

export interface BackgroundOptions {
  /** File that takes standard output and error (appended). */
  readonly log: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts a command in a session of its own, so that it outlives this process. Returns its pid. */
export function startBackground(file: string, args: readonly string[], { log, env }: BackgroundOptions): number {
  const out = openSync(log, 'a');
  const child = spawn(file, args, { detached: true, stdio: ['ignore', out, out], env: { ...process.env, ...env } });
  closeSync(out);
  // Failures to start show as a dead process with its reason in the log.
  child.on('error', () => {});
  child.unref();
  if (child.pid === undefined) throw new LabError('command_failed', `${file}: cannot be started`);
  return child.pid;
}

/** The command line of a process; empty when it is gone (or a zombie). */
export function commandLine(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
  } catch {
    return [];
  }
}

/** The parent of a process; undefined when it is gone. */
export function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return undefined;
  }
}

/** The pid in a pid file if that process lives and has `mark` in its command line: a reused pid is not believed. */
export function pidFrom(file: string, mark: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(file, 'utf8'), 10);
    return pid > 1 && commandLine(pid).some((argument) => argument.includes(mark)) ? pid : undefined;
  } catch {
    return undefined;
  }
}

function allPids(): number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number);
}

function inode(file: string): string | undefined {
  try {
    const { dev, ino } = statSync(file);
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}

/** All processes whose network is one of these namespaces. */
export function pidsIn(namespaces: Iterable<string>): number[] {
  const wanted = new Set([...namespaces].map((name) => inode(namespaceFile(name))));
  wanted.delete(undefined);
  return wanted.size === 0 ? [] : allPids().filter((pid) => wanted.has(inode(`/proc/${pid}/ns/net`)));
}

/** What a lab runs; anything else that happens to name a lab's file (a pager, say) is nobody's business. */
const PROGRAMS = new Set(['ovsdb-server', 'ovs-vswitchd', 'haproxy', 'node', 'libvirtd', 'qemu-system-x86_64']);

/** The lab's own processes outside its namespaces: those of our programs that were given a file below `dir`. */
export function pidsUsing(dir: string): number[] {
  return allPids().filter((pid) => {
    const [program = '', ...rest] = commandLine(pid);
    return pid !== process.pid && PROGRAMS.has(basename(program)) && rest.some((text) => text.includes(`${dir}/`));
  });
}

const alive = (pid: number): boolean => commandLine(pid).length > 0;

function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      // Gone already.
    }
  }
}

/** Resolves to true when all processes are gone, to false after the time given. Nobody tells of foreign processes' ends, so it looks. */
export async function gone(pids: readonly number[], withinMs: number): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  while (pids.some(alive)) {
    if (performance.now() > deadline) return false;
    await delay(5);
  }
  return true;
}

/** Ends processes like a power cut. Resolves when they are gone. */
export async function kill(pids: readonly number[]): Promise<void> {
  signalAll(pids, 'SIGKILL');
  if (!(await gone(pids, 5000))) throw new LabError('not_ready', `processes ${pids.join(', ')} survive SIGKILL`);
}

/** Asks processes to end, and insists after `withinMs`. Resolves when they are gone. */
export async function terminate(pids: readonly number[], withinMs: number): Promise<void> {
  signalAll(pids, 'SIGTERM');
  if (!(await gone(pids, withinMs))) await kill(pids);
}
