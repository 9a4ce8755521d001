/** A way to a server that can be cut as a network is: no byte passes any more, and nobody is told. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

interface Pair {
  /** Toward whoever dialled. */
  readonly near: Socket;
  /** Toward the server. */
  readonly far: Socket;
}

export class WireCutter {
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  readonly #givenUp = new Set<Pair>();
  #isCut = false;

  private constructor(target: string) {
    this.#server = createServer({ pauseOnConnect: true }, (near) => this.#join({ near, far: connect(target) }));
  }

  /** Listens on a port of 127.0.0.1, for the server at this unix socket. */
  static async start(target: string): Promise<WireCutter> {
    const cutter = new WireCutter(target);
    cutter.#server.listen(0, '127.0.0.1');
    await once(cutter.#server, 'listening');
    return cutter;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** From now on nothing passes, of old connections or new ones. */
  cut(): void {
    this.#isCut = true;
    for (const { near, far } of this.#pairs) for (const socket of [near, far]) socket.pause();
  }

  /** New connections pass again. Old ones have been given up by whoever dialled; the server does not know, and keeps its end. */
  mend(): void {
    for (const pair of this.#pairs) {
      this.#givenUp.add(pair);
      pair.near.destroy();
    }
    this.#isCut = false;
  }

  async stop(): Promise<void> {
    for (const { near, far } of this.#pairs) for (const socket of [near, far]) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #join(pair: Pair): void {
    this.#pairs.add(pair);
    for (const [one, other] of [
      [pair.near, pair.far],
      [pair.far, pair.near],
    ] as const) {
      one.on('data', (chunk: Buffer) => other.write(chunk));
      one.on('error', () => {});
      // The end of a connection is news, too: it passes only where bytes do.
      one.on('close', () => {
        if (!this.#givenUp.has(pair)) other.destroy();
      });
      if (this.#isCut) one.pause();
      else one.resume();
    }
  }
}
