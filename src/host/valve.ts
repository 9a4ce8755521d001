/**
 * How often a host may ask: what is above goes to the slot table, in the switch, and costs the controller nothing. Counted
 * in the time between two ticks.
 */

export type Verdict = 'pass' | 'deny port' | 'deny all';

export interface Valve {
  /** One more from this port. `deny …` is said once per tick. */
  passed(port: number): Verdict;
  /** Time goes on. Answers whether the host may ask. */
  tick(): boolean;
}

export interface ValveInit {
  readonly mostPerPort: number;
  readonly most: number;
  /** For how many ticks nobody may ask after there were too many. */
  readonly restTicks: number;
}

/** With a tick of 0.4 s: 1,000 connections a second from a port, 2,000 from a host, and two seconds of rest. */
export const VALVE: ValveInit = { mostPerPort: 400, most: 800, restTicks: 5 };

export function createValve({ mostPerPort, most, restTicks }: ValveInit): Valve {
  const counts = new Map<number, number>();
  let total = 0;
  let rest = 0;
  return {
    passed(port) {
      const count = (counts.get(port) ?? 0) + 1;
      counts.set(port, count);
      total++;
      if (total === most) {
        rest = restTicks;
        return 'deny all';
      }
      return count === mostPerPort ? 'deny port' : 'pass';
    },
    tick() {
      counts.clear();
      total = 0;
      if (rest > 0) rest--;
      return rest === 0;
    },
  };
}
