/** Going round: everything is looked at now and then, and the more there is, the less often, so that the effort is bounded. */

/** How long a round takes at least. */
const ROUND_MS = 3_000;
/** What one look costs is about a millisecond: this bounds the whole to about a hundredth of a CPU. */
const MIN_GAP_MS = 150;

export interface RoundsInit<T> {
  /** What there is now. */
  readonly items: () => readonly T[];
  /** One look at one item; how it went is its own affair, and no other waits for it. */
  readonly visit: (item: T) => Promise<void>;
}

export interface Rounds {
  start(): void;
  /** Resolves when no look is under way. */
  stop(): Promise<void>;
}

/** Visits all items in turn, each at most once at a time. */
export function createRounds<T>({ items, visit }: RoundsInit<T>): Rounds {
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
    timer = setTimeout(next, Math.max(MIN_GAP_MS, ROUND_MS / Math.max(all.length, 1)));
  };

  return {
    start: () => {
      timer = setTimeout(next, ROUND_MS);
    },
    async stop() {
      clearTimeout(timer);
      await Promise.all(underWay.values());
    },
  };
}
