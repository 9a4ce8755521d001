/** Events under a steady load of new connections, and when the last connection that one of them concerns was opened. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { defer } from './clean-up.ts';
import { type BenchLab, type Load, tool } from './lab.ts';

export interface LoadPlan {
  readonly vm: string;
  readonly address: string;
  /** Connections in a second. */
  readonly rate: number;
  /** Connections beside these that are kept, and asked once a second; none unless given. */
  readonly kept?: number;
}

/** Connections as they were opened: milliseconds by the clock of `now`. */
export interface Connection {
  readonly atMs: number;
  /** What it got; undefined = it failed. */
  readonly page: string | undefined;
}

/** Milliseconds by the machine's monotonic clock. */
export const now = (): number => Number(process.hrtime.bigint()) / 1e6;

/** What came of a load; times by the clock of `now`. */
export interface Outcome {
  readonly connections: readonly Connection[];
  /** The longest that a connection took which did not fail. */
  readonly longestMs: number;
  readonly kept: { readonly asked: number; readonly failedAtMs: readonly number[] };
}

/** Loads an address while `work` runs. */
export async function underLoad(
  lab: BenchLab,
  { vm, address, rate, kept = 0 }: LoadPlan,
  work: () => Promise<void>,
): Promise<Outcome> {
  const { file, args } = lab.command(vm, tool('load', rate, '-', address, kept));
  const child = spawn(file, [...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  defer(async () => child.kill());
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  await lines.next();
  try {
    await work();
  } finally {
    child.stdin.end();
  }
  const load = JSON.parse((await lines.next()).value as string) as Load;
  const at = (second: number) => load.beginNs / 1e6 + second * 1000;
  return {
    connections: [
      ...load.pages.map(([second, page]) => ({ atMs: at(second), page })),
      ...load.failed.map(([second]) => ({ atMs: at(second), page: undefined })),
    ],
    longestMs: Math.max(0, ...load.ms),
    kept: { asked: load.kept.asked, failedAtMs: load.kept.failed.map(([second]) => at(second)) },
  };
}

/** For each event, how long after it the last connection of a kind was opened that came before the next; 0 = none was. */
export function lastAfter(
  events: readonly { readonly fromMs: number; readonly toMs: number }[],
  connections: readonly Connection[],
): number[] {
  return events.map(({ fromMs, toMs }) =>
    Math.max(0, ...connections.filter(({ atMs }) => atMs >= fromMs && atMs < toMs).map(({ atMs }) => atMs - fromMs)),
  );
}
