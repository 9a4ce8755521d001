/**
 * A way to a server that can be cut: as a network is, where no byte passes any more and nobody is told; or as a cable is
 * by who resets its connections. On the way of OpenFlow it counts messages, and can be cut at one of them.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type ListenOptions, type Server, type Socket } from 'node:net';

interface Pair {
  /** Toward whoever dialled. */
  readonly near: Socket;
  /** Toward the server. */
  readonly far: Socket;
  /** What came from near and is not a whole message yet. */
  rest: Buffer;
}

/** When to cut, and whether the message that says so still passes. */
export interface CutAt {
  readonly isIt: (message: Buffer) => boolean;
  readonly passes: boolean;
}

const HEADER_BYTES = 8;

export class WireCutter {
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  readonly #givenUp = new Set<Pair>();
  readonly #isOpenFlow: boolean;
  readonly #counts = new Map<number, number>();
  #isCut = false;
  #cutAt: (CutAt & { readonly done: () => void }) | undefined;

  private constructor(target: string, isOpenFlow: boolean) {
    this.#isOpenFlow = isOpenFlow;
    this.#server = createServer({ pauseOnConnect: true }, (near) =>
      this.#join({ near, far: connect(target), rest: Buffer.alloc(0) }),
    );
  }

  /** Listens, on a free port of 127.0.0.1 unless told where, for the server at this unix socket. */
  static async start(
    target: string,
    { isOpenFlow = false, ...where }: ListenOptions & { readonly isOpenFlow?: boolean } = {},
  ): Promise<WireCutter> {
    const cutter = new WireCutter(target, isOpenFlow);
    cutter.#server.listen({ port: 0, host: '127.0.0.1', ...where });
    await once(cutter.#server, 'listening');
    return cutter;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** How many OpenFlow messages of this type have come from whoever dials. */
  count(type: number): number {
    return this.#counts.get(type) ?? 0;
  }

  /** From now on nothing passes, of old connections or new ones. */
  cut(): void {
    this.#isCut = true;
    for (const { near, far } of this.#pairs) for (const socket of [near, far]) socket.pause();
  }

  /** Cuts at an OpenFlow message that is yet to come; resolves when it has come. */
  cutAt(when: CutAt): Promise<void> {
    return new Promise((done) => {
      this.#cutAt = { ...when, done };
    });
  }

  /** New connections pass again. Old ones have been given up by whoever dialled; the server does not know, and keeps its end. */
  mend(): void {
    for (const pair of this.#pairs) {
      this.#givenUp.add(pair);
      pair.near.destroy();
    }
    this.#isCut = false;
  }

  /** The server has noticed, too, that nobody is at the other end of those that were given up. */
  bury(): void {
    for (const { far } of this.#givenUp) far.destroy();
  }

  /** Resets the connections that there are, of which both sides hear at once. New ones pass. */
  reset(): void {
    for (const { near } of this.#pairs) near.resetAndDestroy();
  }

  async stop(): Promise<void> {
    for (const { near, far } of this.#pairs) for (const socket of [near, far]) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #join(pair: Pair): void {
    this.#pairs.add(pair);
    const { near, far } = pair;
    near.on('data', (chunk: Buffer) => (this.#isOpenFlow ? this.#forward(pair, chunk) : far.write(chunk)));
    far.on('data', (chunk: Buffer) => near.write(chunk));
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.on('error', () => {});
      // The end of a connection is news, too: it passes only where bytes do.
      one.on('close', () => {
        if (!this.#givenUp.has(pair)) other.destroy();
      });
      if (this.#isCut) one.pause();
      else one.resume();
    }
  }

  /** Message by message, until it is cut. */
  #forward(pair: Pair, chunk: Buffer): void {
    pair.rest = Buffer.concat([pair.rest, chunk]);
    while (!this.#isCut && pair.rest.length >= HEADER_BYTES && pair.rest.length >= pair.rest.readUInt16BE(2)) {
      const message = pair.rest.subarray(0, pair.rest.readUInt16BE(2));
      pair.rest = pair.rest.subarray(message.length);
      const type = message[1]!;
      this.#counts.set(type, this.count(type) + 1);
      const at = this.#cutAt?.isIt(message) ? this.#cutAt : undefined;
      if (at === undefined || at.passes) pair.far.write(message);
      if (at === undefined) continue;
      this.#cutAt = undefined;
      this.cut();
      at.done();
    }
  }
}
