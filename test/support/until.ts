import { setTimeout as delay } from 'node:timers/promises';

export interface UntilOptions {
  /** For the error: what did not come about. */
  readonly what: string | (() => string);
  /** Default 90 s: machines that run tests may be slow. */
  readonly withinMs?: number;
}

/** Repeats `probe` until it answers something but false or undefined. Throws after the time given. */
export async function until<T>(
  probe: () => Promise<T | false | undefined> | T | false | undefined,
  { what, withinMs = 90_000 }: UntilOptions,
): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (let pauseMs = 5; ; pauseMs = Math.min(pauseMs * 1.5, 100)) {
    const answer = await probe();
    if (answer !== undefined && answer !== false) return answer;
    if (performance.now() > deadline) {
      throw new Error(`not within ${withinMs / 1000} s: ${typeof what === 'string' ? what : what()}`);
    }
    await delay(pauseMs);
  }
}
