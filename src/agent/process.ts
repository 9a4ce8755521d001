/** Programs of the system: those that do one thing and end, and those that must outlive the agent. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { AgentError } from './errors.ts';
import { namespaceFile } from './names.ts';

const COMMAND_TIMEOUT_MS = 10_000;

/** Runs a program to its end; resolves to its output. Throws AgentError('command-failed') with what it said. */
export function run(
  file: string,
  args: readonly string[],
  input = '',
  timeoutMs: number = COMMAND_TIMEOUT_MS,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { timeout: timeoutMs, killSignal: 'SIGKILL', maxBuffer: 16 << 20 } as const;
    const child = execFile(file, args, options, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout);
      const said = (stderr || error.message).trim().replaceAll('\n', '; ').slice(0, 400);
      reject(new AgentError('command-failed', `${file} ${args[0] ?? ''}: ${said}`, { cause: error }));
    });
    // A program that ends without reading its input says why by itself.
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
  });
}

/** A command line in the namespace's network, with the machine's files and mounts (`ip netns exec` would hide some). */
export function inside(namespace: string, file: string, args: readonly string[]): [string, string[]] {
  return ['nsenter', [`--net=${namespaceFile(namespace)}`, '--', file, ...args]];
}

/** Starts a program in a session of its own with its output in `log`, so that it lives on when the agent dies. */
export function startDetached(file: string, args: readonly string[], { log }: { readonly log: string }): ChildProcess {
  const output = openSync(log, 'a', 0o600);
  try {
    const child = spawn(file, args, { detached: true, stdio: ['ignore', output, output], cwd: '/' });
    child.on('error', () => {}); // 'exit' or a missing pid tell as much
    child.unref();
    return child;
  } finally {
    closeSync(output);
  }
}

/** Device and inode of a namespace; undefined when there is none. */
export function namespaceIdentity(file: string): string | undefined {
  try {
    const { dev, ino } = statSync(file);
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}

/** All live processes whose network is the named namespace. */
export function pidsInside(namespace: string): number[] {
  const wanted = namespaceIdentity(namespaceFile(namespace));
  if (wanted === undefined) return [];
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry) && namespaceIdentity(`/proc/${entry}/ns/net`) === wanted)
    .map(Number);
}

/** The pid that the process has in its own pid namespace, which is a container's or ours. */
export function pidAsSeenInside(pid: number): number | undefined {
  try {
    const seen = /^NSpid:.*\s(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return seen === undefined ? undefined : Number(seen);
  } catch {
    return undefined;
  }
}

/** Whether the process exists and is not a zombie. (Its command line would not tell: while it executes another program it has none.) */
export function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return !/^ [ZX]/.test(stat.slice(stat.lastIndexOf(')') + 1));
  } catch {
    return false;
  }
}

/** Sends a signal; a process that is gone is no error. */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended by itself.
  }
}

/** Resolves to whether all processes ended within the time. Nobody tells of foreign processes' ends, so it looks. */
export async function ended(pids: readonly number[], withinMs: number): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  for (let waitMs = 1; pids.some(isAlive); waitMs = Math.min(waitMs * 2, 20)) {
    if (performance.now() > deadline) return false;
    await delay(waitMs);
  }
  return true;
}

/** The limit of open files that programs started from here may reach. */
export function maxOpenFiles(): number {
  const limit = /^Max open files\s+\d+\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
  return limit === undefined ? 1024 : Number(limit);
}
