/** Slows down guessing: a bucket of attempts per key, refilled slowly. The keys are bounded; the longest unused go first. */
export interface ThrottleInit {
  /** Attempts that a key has when it has been quiet. */
  readonly burst: number;
  /** How long until one more is allowed. */
  readonly refillMs: number;
  /** How many keys are remembered. */
  readonly capacity: number;
  readonly now?: (() => number) | undefined;
}

interface Bucket {
  /** When the bucket will be full again. */
  fullAt: number;
}

export class Throttle {
  readonly #init: ThrottleInit;
  readonly #now: () => number;
  /** In order of last use. */
  readonly #buckets = new Map<string, Bucket>();

  constructor(init: ThrottleInit) {
    this.#init = init;
    this.#now = init.now ?? (() => performance.now());
  }

  /** Takes an attempt from the key's bucket; answers 0, or without taking any how many ms to wait for the next. */
  take(key: string): number {
    const { burst, refillMs, capacity } = this.#init;
    const now = this.#now();
    const fullAt = Math.max(now, this.#buckets.get(key)?.fullAt ?? now) + refillMs;
    const waitMs = fullAt - now - burst * refillMs;
    if (waitMs > 0) return waitMs;
    this.#buckets.delete(key);
    this.#buckets.set(key, { fullAt });
    if (this.#buckets.size > capacity) this.#buckets.delete(this.#buckets.keys().next().value!);
    return 0;
  }

  /** Gives an attempt back: it was no failure. */
  giveBack(key: string): void {
    const bucket = this.#buckets.get(key);
    if (bucket === undefined) return;
    bucket.fullAt -= this.#init.refillMs;
    if (bucket.fullAt <= this.#now()) this.#buckets.delete(key);
  }

  /** How many keys are remembered. */
  get size(): number {
    return this.#buckets.size;
  }
}
