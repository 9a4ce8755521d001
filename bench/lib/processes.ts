/** What processes take of the machine, as the kernel counts it. */
import { readdirSync, readFileSync } from 'node:fs';

/** Proportional set size in MiB: what is shared counts in parts, so that sums are true. */
export function memoryMib(pids: readonly number[]): number {
  const kib = pids.map((pid) =>
    Number(/^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))![1]),
  );
  return kib.reduce((sum, one) => sum + one, 0) / 1024;
}

/** CPU time of all their threads since they started, in milliseconds. */
export function cpuMs(pids: readonly number[]): number {
  const ns = pids.flatMap((pid) =>
    readdirSync(`/proc/${pid}/task`).map((thread) => {
      return Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]);
    }),
  );
  return ns.reduce((sum, one) => sum + one, 0) / 1e6;
}
