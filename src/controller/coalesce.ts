/** An action that runs one at a time; calls while it runs lead to one more run. Failures are tried again. */
export interface Coalesced {
  (): void;
  /** No more runs; resolves when the present one has ended. */
  stop(): Promise<void>;
}

/** Wraps `action`. `failed` hears of every failure; the next run follows after `retryMs`, or at the next call. */
export function coalesce(action: () => Promise<void>, failed: (error: Error) => void, retryMs = 1000): Coalesced {
  let wanted = false;
  let stopped = false;
  let running: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;

  async function run(): Promise<void> {
    // Also a call that the action itself makes finds it running.
    await undefined;
    while (wanted && !stopped) {
      wanted = false;
      try {
        await action();
      } catch (error) {
        failed(error as Error);
        if (!stopped) timer = setTimeout(call, retryMs);
      }
    }
    running = undefined;
  }

  function call(): void {
    clearTimeout(timer);
    wanted = true;
    running ??= run();
  }

  return Object.assign(call, {
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  });
}

/** Takes all that is due, so many at a time, through `write`. What could not be written is due again. */
export async function writeInBatches(
  due: Set<string>,
  size: number,
  write: (ids: readonly string[]) => Promise<void>,
): Promise<void> {
  while (due.size > 0) {
    const ids = [...due].slice(0, size);
    for (const id of ids) due.delete(id);
    await write(ids).catch((error: unknown) => {
      for (const id of ids) due.add(id);
      throw error;
    });
  }
}
