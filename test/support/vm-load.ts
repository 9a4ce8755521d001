/** Load from a VM: new connections at a steady rate, and some that are kept. */
import { connect } from 'node:net';
import type { Commands, Endpoint, Failure, LoadProgress, LoadResult } from './vm.ts';
import { Conversation, origin, reason } from './vm-conversation.ts';

const REQUEST = 'GET / HTTP/1.0\r\n\r\n';
const ANSWER = /^HTTP\/1\.[01] 200 .*\r\n\r\n(\S+) /s;
const PATIENCE_MS = 5000;
/** A machine that cannot do more is not asked for more: what would be beyond is not begun, and does not count. */
const MOST_OPEN = 100;
/** Between two looks at what is due. */
const TICK_MS = 5;
/** Each kept connection is asked once in this time. */
const ASKED_EACH_MS = 1000;

/** The first word that the server says; a connection of its own, as cheap as can be. */
function ask(endpoint: Endpoint): Promise<string> {
  const { address: host, port = 80 } = endpoint;
  return new Promise((resolve, reject) => {
    let said = '';
    const socket = connect({ host, port, ...origin(endpoint) }, () => socket.write(REQUEST));
    socket.setEncoding('latin1').setTimeout(PATIENCE_MS, () => {
      socket.destroy(new Error(`silent for ${PATIENCE_MS} ms`));
    });
    socket.on('data', (chunk: string) => {
      said += chunk;
    });
    socket.once('error', reject);
    socket.once('close', () => {
      const name = ANSWER.exec(said)?.[1];
      if (name !== undefined) resolve(name);
      else reject(new Error(`no page: ${JSON.stringify(said.slice(0, 40))}`));
    });
  });
}

interface Kept {
  readonly endpoint: Endpoint;
  readonly conversation: Conversation;
  isAsked: boolean;
}

/** Runs until `stop`. New connections go to the endpoints in turn, whatever becomes of the ones before. */
export class Load {
  readonly #endpoints: readonly Endpoint[];
  readonly #timers: readonly NodeJS.Timeout[];
  readonly #open = new Set<Promise<void>>();
  readonly #answers: Record<string, number> = {};
  readonly #failures: Failure[] = [];
  readonly #startMs = performance.now();
  readonly #kept: Kept[];
  #keptAnswers = 0;
  #started = 0;

  /** Resolves when the connections that are kept are open. */
  static async start(input: Commands['load']['input']): Promise<Load> {
    const { endpoints, kept = 0 } = input;
    const opening = Array.from({ length: kept }, async (_, nth) => {
      const endpoint = endpoints[nth % endpoints.length]!;
      return { endpoint, conversation: await Conversation.open(endpoint), isAsked: false };
    });
    return new Load(input, await Promise.all(opening));
  }

  private constructor({ endpoints, perSecond }: Commands['load']['input'], kept: Kept[]) {
    this.#endpoints = endpoints;
    this.#kept = kept;
    let offered = 0;
    const begin = () => {
      const due = ((performance.now() - this.#startMs) / 1000) * perSecond;
      for (; offered < due; offered++) if (this.#open.size < MOST_OPEN) this.#request();
    };
    let turn = 0;
    const talk = () => this.#talk(this.#kept[turn++ % this.#kept.length]);
    this.#timers = [setInterval(begin, TICK_MS), setInterval(talk, ASKED_EACH_MS / Math.max(1, kept.length))];
  }

  #request(): void {
    const round = Math.floor(this.#started / this.#endpoints.length);
    const given = this.#endpoints[this.#started++ % this.#endpoints.length]!;
    const endpoint = given.fromPort === undefined ? given : { ...given, fromPort: given.fromPort + round };
    const beganMs = this.#nowMs;
    const work = ask(endpoint).then(
      (name) => {
        this.#answers[name] = (this.#answers[name] ?? 0) + 1;
      },
      (error) => this.#failed({ endpoint, beganMs, isKept: false }, error),
    );
    this.#track(work);
  }

  /** One that breaks is asked no more. */
  #talk(one: Kept | undefined): void {
    if (one === undefined || one.isAsked) return;
    one.isAsked = true;
    const { endpoint, conversation } = one;
    const beganMs = this.#nowMs;
    const work = conversation.ask(PATIENCE_MS).then(
      () => {
        this.#keptAnswers++;
        one.isAsked = false;
      },
      (error) => {
        this.#kept.splice(this.#kept.indexOf(one), 1);
        conversation.close();
        this.#failed({ endpoint, beganMs, isKept: true }, error);
      },
    );
    this.#track(work);
  }

  get #nowMs(): number {
    return Math.round(performance.now() - this.#startMs);
  }

  #failed(what: Omit<Failure, 'error'>, error: unknown): void {
    this.#failures.push({ ...what, error: reason(error) });
  }

  #track(work: Promise<void>): void {
    const tracked = work.finally(() => this.#open.delete(tracked));
    this.#open.add(tracked);
  }

  get progress(): LoadProgress {
    const answered = Object.values(this.#answers).reduce((sum, count) => sum + count, 0);
    return { answered, failed: this.#failures.length };
  }

  /** Resolves when what is under way has come to an end. */
  async stop(): Promise<LoadResult> {
    for (const timer of this.#timers) clearInterval(timer);
    await Promise.all(this.#open);
    for (const { conversation } of this.#kept) conversation.close();
    return {
      answers: this.#answers,
      failures: this.#failures,
      kept: this.#kept.length,
      keptAnswers: this.#keptAnswers,
    };
  }
}
