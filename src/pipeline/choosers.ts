/** Algorithms that remember: who is next, and who has how many connections. One chooser per host, pool and family. */
import type { Algorithm } from '../model/types.ts';

/** A member that may be chosen. */
export interface Candidate {
  readonly key: number;
  /** Relative share, 1 to 256. */
  readonly weight: number;
}

export interface Chooser {
  /** The key of the member for one more connection; undefined when there is nobody. */
  choose(candidates: readonly Candidate[]): number | undefined;
  /** A connection to this member has ended. */
  ended(member: number): void;
}

/** A chooser of members that have so many already. Hash algorithms are the switch's: they have none. */
export function createChooser(algorithm: Algorithm, counts: ReadonlyMap<number, number> = new Map()): Chooser {
  return algorithm === 'LEAST_CONNECTIONS' ? leastConnections(counts) : roundRobin();
}

/**
 * Smooth weighted round robin: everybody gains its weight, the richest serves and pays what all have gained. In every
 * round of as many connections as the weights add up to each has its weight, and they are spread over the round. One that
 * comes begins with nothing, one that goes is forgotten.
 */
function roundRobin(): Chooser {
  let wealth = new Map<number, number>();
  return {
    choose(candidates) {
      let best: number | undefined;
      let total = 0;
      const next = new Map<number, number>();
      for (const { key, weight } of candidates) {
        total += weight;
        next.set(key, (wealth.get(key) ?? 0) + weight);
        if (best === undefined || next.get(key)! > next.get(best)!) best = key;
      }
      if (best !== undefined) next.set(best, next.get(best)! - total);
      wealth = next;
      return best;
    },
    ended() {},
  };
}

/** Who would have the fewest connections for its weight, with this one; among equals in turn. */
function leastConnections(already: ReadonlyMap<number, number>): Chooser {
  const counts = new Map(already);
  const turns = roundRobin();
  const load = ({ key, weight }: Candidate) => ((counts.get(key) ?? 0) + 1) / weight;
  return {
    choose(candidates) {
      const least = Math.min(...candidates.map(load));
      const chosen = turns.choose(candidates.filter((one) => load(one) === least));
      if (chosen !== undefined) counts.set(chosen, (counts.get(chosen) ?? 0) + 1);
      return chosen;
    },
    ended(member) {
      const left = (counts.get(member) ?? 0) - 1;
      if (left > 0) counts.set(member, left);
      else counts.delete(member);
    },
  };
}
