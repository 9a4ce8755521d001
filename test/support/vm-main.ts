/**
 * The program that tests run inside a VM: server and client in one. Commands come as JSON lines `{id, name, input}`,
 * answers go as `{id, output}` or `{id, error}`.
 */
import { once } from 'node:events';
import { get, type IncomingMessage, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { Answered, Commands, Endpoint, Failure, LoadResult } from './vm.ts';
import { answerDatagrams, askDatagrams } from './vm-datagrams.ts';
import { digestFrom, digestOf, Servers, write } from './vm-server.ts';

const [ownName = ''] = process.argv.slice(2);
let health: Commands['health']['input'] = { status: 200 };
let asked = 0;
const servers = new Servers({
  name: ownName,
  health: (client) => {
    asked++;
    return health.clients?.includes(client) === false ? 200 : health.status;
  },
});

async function text(response: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of response) body += chunk;
  return body;
}

const reason = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? (error as Error).message;

/** Where a connection comes from, as `connect` takes it. */
const origin = ({ fromPort, from }: Endpoint) => ({
  ...(fromPort === undefined ? {} : { localPort: fromPort }),
  ...(from === undefined ? {} : { localAddress: from }),
});

/** One request over a connection of its own. */
async function ask(input: Commands['request']['input']): Promise<Answered> {
  const { address, port = 80, path = '/', headers = {}, timeoutMs = 5000 } = input;
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    const sent = get({ host: address, port, path, headers, agent: false, signal, ...origin(input) });
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    return { status: response.statusCode!, headers: response.headers, body: await text(response) };
  } catch (error) {
    throw signal.aborted ? new Error(`silent for ${timeoutMs} ms`) : error;
  }
}

/** The body of a good answer. */
async function fetchOnce(endpoint: Endpoint, timeoutMs: number): Promise<string> {
  const { status, body } = await ask({ ...endpoint, timeoutMs });
  if (status !== 200) throw new Error(`status ${status}`);
  return body;
}

async function fetchMany(input: Commands['fetch']['input']): Promise<string[]> {
  const { count = 1, parallel = 1, timeoutMs = 5000 } = input;
  const answers: string[] = [];
  let left = count;
  const worker = async (): Promise<void> => {
    while (left-- > 0) answers.push(await fetchOnce(input, timeoutMs).catch((error) => `error ${reason(error)}`));
  };
  await Promise.all(Array.from({ length: parallel }, worker));
  return answers;
}

/** New connections at a steady rate, each to the next of the endpoints, whatever becomes of the ones before. */
class Load {
  readonly #endpoints: readonly Endpoint[];
  readonly #timer: NodeJS.Timeout;
  readonly #open = new Set<Promise<void>>();
  readonly #answers: Record<string, number> = {};
  readonly #failures: Failure[] = [];
  readonly #startMs = performance.now();
  #started = 0;
  #longestMs = 0;
  #lastMs = 0;

  constructor({ endpoints, perSecond }: Commands['load']['input']) {
    this.#endpoints = endpoints;
    this.#timer = setInterval(() => {
      const due = ((performance.now() - this.#startMs) / 1000) * perSecond;
      while (this.#started < due) this.#request();
    }, 5);
  }

  #request(): void {
    const round = Math.floor(this.#started / this.#endpoints.length);
    const given = this.#endpoints[this.#started++ % this.#endpoints.length]!;
    const endpoint = given.fromPort === undefined ? given : { ...given, fromPort: given.fromPort + round };
    const beganMs = performance.now() - this.#startMs;
    const work = fetchOnce(endpoint, 5000)
      .then((body) => {
        const name = body.split(' ')[0]!;
        this.#answers[name] = (this.#answers[name] ?? 0) + 1;
        this.#lastMs = Math.max(this.#lastMs, beganMs);
        this.#longestMs = Math.max(this.#longestMs, performance.now() - this.#startMs - beganMs);
      })
      .catch((error) => {
        this.#failures.push({ endpoint, error: reason(error), beganMs: Math.round(beganMs) });
      })
      .finally(() => this.#open.delete(work));
    this.#open.add(work);
  }

  get progress(): { readonly answered: number; readonly failed: number } {
    const answered = Object.values(this.#answers).reduce((sum, count) => sum + count, 0);
    return { answered, failed: this.#failures.length };
  }

  async stop(): Promise<LoadResult> {
    clearInterval(this.#timer);
    await Promise.all(this.#open);
    return {
      answers: this.#answers,
      failures: this.#failures,
      longestMs: Math.round(this.#longestMs),
      lastAnsweredMs: Math.round(this.#lastMs),
    };
  }
}

/** A connection that is kept and asked again and again; it never reconnects. */
class Conversation {
  readonly #socket: Socket;
  #received = '';

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      this.#received += chunk;
    });
    socket.on('error', () => {});
  }

  async ask(timeoutMs: number): Promise<string> {
    if (this.#socket.destroyed || this.#socket.readableEnded) throw new Error('the connection has ended');
    this.#received = '';
    this.#socket.write('GET / HTTP/1.1\r\nHost: vip\r\n\r\n');
    const done = new AbortController();
    const signal = AbortSignal.any([AbortSignal.timeout(timeoutMs), done.signal]);
    try {
      return await this.#answer(signal);
    } finally {
      done.abort();
    }
  }

  async #answer(signal: AbortSignal): Promise<string> {
    for (;;) {
      const [head, body] = this.#received.split('\r\n\r\n', 2);
      const size = /content-length: (\d+)/i.exec(head ?? '')?.[1];
      if (size !== undefined && body !== undefined && body.length >= Number(size)) return body;
      if (body?.includes('\r\n0\r\n')) return body.split('\r\n')[1]!;
      await Promise.race([once(this.#socket, 'data', { signal }), this.#ended(signal)]);
    }
  }

  async #ended(signal: AbortSignal): Promise<never> {
    await once(this.#socket, 'close', { signal });
    throw new Error('the connection has ended');
  }

  async ended(): Promise<void> {
    if (!this.#socket.destroyed && !this.#socket.readableEnded) await once(this.#socket, 'close');
  }

  close(): void {
    this.#socket.destroy();
  }
}

const conversations: Conversation[] = [];
let load: Load | undefined;

async function transfer({ address, port = 80, bytes }: Commands['transfer']['input']): Promise<boolean> {
  const wanted = digestOf(bytes);
  const [down] = await once(get({ host: address, port, path: `/bytes/${bytes}`, agent: false }), 'response');
  if ((await digestFrom(down)) !== wanted) return false;
  const up = request({ host: address, port, method: 'POST', agent: false });
  const replied = once(up, 'response');
  await write(up, bytes);
  return (await text((await replied)[0])) === wanted;
}

const handlers: { readonly [K in keyof Commands]: (input: Commands[K]['input']) => Promise<Commands[K]['output']> } = {
  serve: (options) => servers.serve(options),
  cease: ({ port }) => servers.cease(port),
  asked: async () => asked,
  async health(input) {
    health = input;
  },
  async serveDatagrams({ port }) {
    await answerDatagrams(ownName, port);
  },
  datagrams: askDatagrams,
  request: ask,
  fetch: fetchMany,
  transfer,
  async load(input) {
    load = new Load(input);
  },
  async progress() {
    return load!.progress;
  },
  async unload() {
    return load!.stop();
  },
  async open({ address, port = 80, count = 1, ...rest }) {
    const sockets = Array.from({ length: count }, () =>
      connect({ host: address, port, ...origin({ address, ...rest }) }),
    );
    await Promise.all(sockets.map((socket) => once(socket, 'connect')));
    const first = conversations.length;
    conversations.push(...sockets.map((socket) => new Conversation(socket)));
    return first;
  },
  async ask({ first, count = 1, timeoutMs = 5000 }) {
    const asked = conversations.slice(first, first + count);
    return Promise.all(asked.map((one) => one.ask(timeoutMs).catch((error) => `error ${reason(error)}`)));
  },
  async ended({ first }) {
    await conversations[first]!.ended();
  },
  async close({ first = 0, count = conversations.length } = {}) {
    for (const conversation of conversations.slice(first, first + count)) conversation.close();
  },
};

async function handle(line: string): Promise<void> {
  const { id, name, input } = JSON.parse(line) as { id: number; name: keyof Commands; input: never };
  const outcome = await handlers[name](input).then(
    (output) => ({ id, output }),
    (error: unknown) => ({ id, error: reason(error) }),
  );
  process.stdout.write(`${JSON.stringify(outcome)}\n`);
}

const lines = createInterface(process.stdin);
lines.on('line', (line) => void handle(line));
// Nobody asks any more.
lines.once('close', () => process.exit(0));
