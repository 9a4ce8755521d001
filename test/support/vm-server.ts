/** The servers of a VM: HTTP that tells who was asked by whom, and what came with the question. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { About, Announced } from './vm.ts';

const BLOCK = Buffer.from(Array.from({ length: 65_536 }, (_, i) => (i * 31 + (i >> 8)) & 255));

/** The same bytes for the same size, on both sides. */
function* content(size: number): Generator<Buffer, void> {
  for (let sent = 0; sent < size; sent += BLOCK.length) yield BLOCK.subarray(0, Math.min(BLOCK.length, size - sent));
}

export function digestOf(size: number): string {
  const hash = createHash('sha256');
  for (const block of content(size)) hash.update(block);
  return hash.digest('hex');
}

export async function digestFrom(stream: AsyncIterable<Buffer>): Promise<string> {
  const hash = createHash('sha256');
  for await (const block of stream) hash.update(block);
  return hash.digest('hex');
}

/** Writes so many bytes of the known content, and ends. */
export async function write(stream: NodeJS.WritableStream, size: number): Promise<void> {
  for (const block of content(size)) if (!stream.write(block)) await once(stream, 'drain');
  stream.end();
}

const PROXY_V2 = Buffer.from([0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]);

/** Reads a PROXY header (version 1 or 2), and puts back what follows it. Throws when there is none. */
async function readProxyHeader(socket: Socket): Promise<Announced> {
  let seen = Buffer.alloc(0);
  for (;;) {
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    seen = Buffer.concat([seen, chunk]);
    const header = headerIn(seen);
    if (header === undefined) continue;
    socket.pause();
    if (seen.length > header.length) socket.unshift(seen.subarray(header.length));
    return header.announced;
  }
}

function headerIn(seen: Buffer): { readonly length: number; readonly announced: Announced } | undefined {
  const isV2 = seen.subarray(0, PROXY_V2.length).equals(PROXY_V2.subarray(0, seen.length));
  if (isV2) {
    if (seen.length < 16 || seen.length < 16 + seen.readUInt16BE(14)) return undefined;
    const size = seen[13] === 0x11 ? 4 : 16;
    const text = (at: number): string => {
      const bytes = seen.subarray(at, at + size);
      return size === 4 ? bytes.join('.') : bytes.toString('hex').replace(/(.{4})(?!$)/g, '$1:');
    };
    const announced = { version: 2, source: text(16), port: seen.readUInt16BE(16 + 2 * size + 2) } as const;
    return { length: 16 + seen.readUInt16BE(14), announced };
  }
  const end = seen.indexOf('\r\n');
  if (end < 0 && seen.length < 108) return undefined;
  const words = seen.subarray(0, Math.max(end, 0)).toString('latin1').split(' ');
  if (words[0] !== 'PROXY') throw new Error('no PROXY header');
  return { length: end + 2, announced: { version: 1, source: words[2]!, port: Number(words[5]) } };
}

export interface ServerInit {
  readonly name: string;
  /** What `/health` answers to whom. */
  readonly health: (client: string) => number;
}

export interface ServeOptions {
  readonly port: number;
  /** Whether connections begin with a PROXY header; those that do not are broken off. */
  readonly expectsProxy?: boolean;
}

const clientOf = (socket: Socket): string => socket.remoteAddress?.replace('::ffff:', '') ?? '';

/** The servers of one VM. */
export class Servers {
  readonly #init: ServerInit;
  readonly #servers = new Map<number, Server>();
  readonly #sockets = new Map<Socket, number>();
  readonly #announced = new WeakMap<Socket, Announced>();
  #sessions = 0;

  constructor(init: ServerInit) {
    this.#init = init;
  }

  async serve({ port, expectsProxy = false }: ServeOptions): Promise<void> {
    const http = createServer((incoming, response) => {
      this.#answer(incoming, response).catch(() => incoming.socket.destroy());
    });
    http.keepAliveTimeout = 0;
    http.on('clientError', (_error, socket) => socket.destroy());
    const server = createTcpServer((socket) => {
      this.#sockets.set(socket, port);
      socket.on('error', () => {}).once('close', () => this.#sockets.delete(socket));
      if (!expectsProxy) return void http.emit('connection', socket);
      readProxyHeader(socket).then(
        (announced) => {
          this.#announced.set(socket, announced);
          http.emit('connection', socket);
          socket.resume();
        },
        () => socket.destroy(),
      );
    });
    server.listen({ host: '::', port, backlog: 1024 });
    await once(server, 'listening');
    this.#servers.set(port, server);
  }

  /** As when the process dies: connections are broken off, new ones refused. */
  async cease(port: number): Promise<void> {
    const server = this.#servers.get(port)!;
    this.#servers.delete(port);
    server.close();
    for (const [socket, own] of this.#sockets) if (own === port) socket.resetAndDestroy();
    await once(server, 'close');
  }

  /**
   * `/` answers the server's name and the client's address, `/about` all that is known of the request, `/bytes/N` N bytes,
   * `/wait/MS` its name after a while, `/login` its name with a cookie of a new session, and a POST the digest of what came.
   */
  async #answer(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const { name, health } = this.#init;
    const { socket, url = '', method } = incoming;
    const [, word, value] = /^\/(\w*)\/?(\d*)/.exec(url)!;
    if (method === 'POST') return void response.end(await digestFrom(incoming));
    if (word === 'bytes') return write(response, Number(value));
    if (word === 'wait') await delay(Number(value));
    if (word === 'health') response.statusCode = health(clientOf(socket));
    if (word === 'login') response.setHeader('Set-Cookie', `SESSION=${name}-${++this.#sessions}`);
    response.end(word === 'about' ? JSON.stringify(this.#about(incoming)) : `${name} ${clientOf(socket)}`);
  }

  #about({ socket, headers }: IncomingMessage): About {
    return { name: this.#init.name, client: clientOf(socket), headers, announced: this.#announced.get(socket) };
  }
}
