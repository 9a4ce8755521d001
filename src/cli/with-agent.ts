/** An agent in the controller's process, for a single machine. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { AgentOptions } from '../agent/options.ts';
import { runAgent } from '../agent/run.ts';

/** An agent that ended over an error is likely to do so again. */
const RETRY_MS = 10_000;

/**
 * Runs an agent until it is stopped. An error of it is logged, and it is started again after a while: the controller does
 * not end over it. `stop` resolves when the agent has let go of its sandboxes, which serve on.
 */
export function startAgent(options: AgentOptions, logger: Logger): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const { signal } = stopping;
  const keep = async (): Promise<void> => {
    while (!signal.aborted) {
      await runAgent(options, signal).catch((err: unknown) =>
        logger.error({ err, host: options.host }, 'the agent ended'),
      );
      await delay(RETRY_MS, undefined, { signal }).catch(() => {});
    }
  };
  const kept = keep();
  return {
    stop() {
      stopping.abort();
      return kept;
    },
  };
}
