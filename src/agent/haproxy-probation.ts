/**
 * Servers with a health monitor that have not been well yet: HAProxy would want as many successes of them as of one that
 * was down. Here they come up with the first.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { AgentError } from './errors.ts';
import { type Ask, command } from './haproxy-cli.ts';
import { ASK_SERVERS, parseServers, type RunningServer } from './haproxy-state.ts';

/** Probes are answered soon or not at all: it looks often at first, then leaves it to who calls `look` now and then. */
const FIRST_LOOK_MS = 10;
const WATCH_MS = 3_000;
const GROWTH = 1.5;

export class Probation {
  readonly #ask: Ask;
  readonly #waiting = new Set<string>();
  #watching: Promise<void> | undefined;

  constructor(ask: Ask) {
    this.#ask = ask;
  }

  /** Takes servers that are down because nothing is known of them. */
  add(names: Iterable<string>): void {
    for (const name of names) this.#waiting.add(name);
  }

  /** Watches for a while. Resolves when no server is left to wait for, or after that while. */
  watch(): Promise<void> {
    this.#watching ??= this.#watch().finally(() => {
      this.#watching = undefined;
    });
    return this.#watching;
  }

  /** Brings up who is well by now. */
  async look(servers: readonly RunningServer[]): Promise<void> {
    const now = new Map(servers.map((server) => [server.name, server]));
    for (const name of this.#waiting) {
      const server = now.get(name);
      if (server === undefined || server.isUp || !server.isEnabled) this.#waiting.delete(name);
    }
    const well = [...this.#waiting].filter((name) => now.get(name)!.lastProbe === 'passed');
    for (const name of well) this.#waiting.delete(name);
    await command(
      this.#ask,
      well.map((name) => `set server ${name} health up`),
    );
  }

  /** Forgets all. */
  stop(): void {
    this.#waiting.clear();
  }

  async #watch(): Promise<void> {
    const end = performance.now() + WATCH_MS;
    for (let waitMs = FIRST_LOOK_MS; this.#waiting.size > 0 && performance.now() < end; waitMs *= GROWTH) {
      await delay(waitMs);
      try {
        await this.look(parseServers(await this.#ask(ASK_SERVERS)));
      } catch (error) {
        // It may be reloading, or gone: then somebody else tells.
        if (!(error instanceof AgentError)) throw error;
      }
    }
  }
}
