import { type Counters, NO_COUNTERS } from './types.ts';

const NAMES = Object.keys(NO_COUNTERS) as readonly (keyof Counters)[];

/** Each counter of all of them together. */
export function sumCounters(...all: readonly Counters[]): Counters {
  return Object.fromEntries(NAMES.map((name) => [name, all.reduce((sum, one) => sum + one[name], 0)])) as {
    [K in keyof Counters]: number;
  };
}
