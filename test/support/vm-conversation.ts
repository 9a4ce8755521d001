/** Connections of a VM's program that are kept. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Endpoint } from './vm.ts';

export const reason = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? (error as Error).message;

/** Where a connection comes from, as `connect` takes it. */
export const origin = ({ fromPort, from }: Endpoint) => ({
  ...(fromPort === undefined ? {} : { localPort: fromPort }),
  ...(from === undefined ? {} : { localAddress: from }),
});

/** A connection that is kept and asked again and again; it never reconnects. */
export class Conversation {
  readonly #socket: Socket;
  #received = '';

  /** Resolves when it is connected; throws why it is not. */
  static async open(endpoint: Endpoint): Promise<Conversation> {
    const { address: host, port = 80 } = endpoint;
    const socket = connect({ host, port, ...origin(endpoint) });
    await once(socket, 'connect');
    return new Conversation(socket);
  }

  private constructor(socket: Socket) {
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
