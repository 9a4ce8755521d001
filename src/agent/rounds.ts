/** Going round: everything is looked at now and then, and the more there is, the less often, so that the effort is bounded. */

export interface RoundsTiming {
  /** How long a round takes at least. */
  readonly roundMs: number;
  /** How long it is from one look to the next at least. */
  readonly minGapMs: number;
}

/** One look takes the agent about a millisecond: four a second are less than a hundredth of a CPU. */
const TIMING: RoundsTiming = { roundMs: 3_000, minGapMs: 250 };

export interface RoundsInit<T> {
  /** What there is now. */
  readonly items: () => readonly T[];
  /** One look at one item; how it went is its own affair, and no other waits for it. */
  readonly visit: (item: T) => Promise<void>;
  readonly timing?: RoundsTiming;
}

export interface Rounds {
  start(): void;
  /** Resolves when no look is under way. */
  stop(): Promise<void>;
}

/** Visits all items in turn, each at most once at a time. */
export function createRounds<T>({ items, visit, timing = TIMING }: RoundsInit<T>): Rounds {
  const underWay = new Map<T, Promise<void>>();
  let queue: T[] = [];
  let timer: NodeJS.Timeout | undefined;

  const next = (): void => {
    const all = items();
    if (queue.length === 0) queue = [...all];
    const item = queue.shift();
    if (item !== undefined && all.includes(item) && !underWay.has(item)) {
      const look = visit(item).finally(() => underWay.delete(item));
      underWay.set(item, look);
    }
    timer = setTimeout(next, Math.max(timing.minGapMs, timing.roundMs / Math.max(all.length, 1)));
  };

  return {
    start: () => {
      timer = setTimeout(next, timing.roundMs);
    },
    async stop() {
      clearTimeout(timer);
      await Promise.all(underWay.values());
    },
  };
}
