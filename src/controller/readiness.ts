/** Measures how long balancers take until they serve: from the moment they are wanted, or break, until the switch has the way. */
export interface Readiness {
  /** These are present; the others are forgotten. */
  keep(present: ReadonlySet<string>): void;
  /** Does not serve (yet). */
  waits(loadBalancerId: string): void;
  /** Serves, and the switch has confirmed it. Answers how long that took, in ms; undefined when it had not been waited for. */
  serves(loadBalancerId: string): number | undefined;
  /** How long it took last. */
  lastMs(loadBalancerId: string): number | undefined;
}

/** One host's. `now` in milliseconds, monotonic. */
export function createReadiness(now: () => number = () => performance.now()): Readiness {
  const sinceMs = new Map<string, number>();
  const lastMs = new Map<string, number>();
  return {
    keep(present) {
      for (const times of [sinceMs, lastMs]) {
        for (const id of times.keys()) if (!present.has(id)) times.delete(id);
      }
    },
    waits(id) {
      if (!sinceMs.has(id)) sinceMs.set(id, now());
    },
    serves(id) {
      const began = sinceMs.get(id);
      if (began === undefined) return undefined;
      const ms = Math.round(now() - began);
      sinceMs.delete(id);
      lastMs.set(id, ms);
      return ms;
    },
    lastMs: (id) => lastMs.get(id),
  };
}
