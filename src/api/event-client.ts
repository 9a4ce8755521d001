/** Reads server-sent events of the API. Loads nothing but node:http, as the client. */
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { ClientError, type Credentials, endpointUrl, faultText, identityOf, unreachable } from './client.ts';

export interface ServerEvent {
  /** `ready`, `reset`, or as the API names what happened. */
  readonly type: string;
  readonly id: string;
  /** JSON. */
  readonly data: unknown;
}

export interface FollowOptions {
  readonly url: string;
  /** With its query. */
  readonly path: string;
  readonly signal: AbortSignal;
  readonly credentials?: Credentials | undefined;
  /** Resume after this one; undefined = begin now. */
  readonly lastId?: string | undefined;
  /** Hears why the stream broke off, before it is taken up again. */
  readonly broken?: ((reason: string) => void) | undefined;
}

const RETRY_MS = 1_000;
/** A longer event is not one of ours. */
const EVENT_LIMIT_LENGTH = 1024 * 1024;

/**
 * Events for ever: a stream that breaks off is resumed where it was. Throws AbortError when `signal` fires, ClientError when
 * the API refuses, or cannot be reached at first.
 */
export async function* followEvents(options: FollowOptions): AsyncGenerator<ServerEvent, never> {
  const { url, path, signal, broken, credentials = {} } = options;
  let { lastId } = options;
  for (let first = true; ; first = false) {
    try {
      const response = await open(endpointUrl(url, path), { url, lastId, signal, credentials });
      for await (const event of parseEvents(response)) {
        lastId = event.id;
        yield event;
      }
      broken?.('the API ended the stream');
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof Error)) throw error;
      if (first || (error instanceof ClientError && error.kind !== 'unreachable')) throw error;
      broken?.(error.message);
    }
    await sleep(RETRY_MS, undefined, { signal });
  }
}

interface Opening {
  readonly url: string;
  readonly lastId: string | undefined;
  readonly signal: AbortSignal;
  readonly credentials: Credentials;
}

async function open(target: URL, { url, lastId, signal, credentials }: Opening): Promise<IncomingMessage> {
  const { headers: shown, ...tls } = identityOf(credentials);
  const headers = {
    ...shown,
    accept: 'text/event-stream',
    ...(lastId === undefined ? {} : { 'last-event-id': lastId }),
  };
  const { get } = target.protocol === 'https:' ? https : http;
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const failed = (error: Error): void =>
      reject(error.name === 'AbortError' ? error : new ClientError('unreachable', unreachable(url, error)));
    get(target, { headers, signal, ...tls }, resolve).on('error', failed);
  });
  if (response.statusCode === 200) return response;
  const body = await text(response);
  const json = response.headers['content-type']?.startsWith('application/json') === true;
  const status = response.statusCode ?? 0;
  throw new ClientError('refused', faultText(json ? JSON.parse(body) : body, status, url), status);
}

/** The events of a stream of `text/event-stream`, as far as ours use it: `event`, `id`, one line of `data`. */
export async function* parseEvents(stream: AsyncIterable<Uint8Array>): AsyncGenerator<ServerEvent, void> {
  const decoder = new TextDecoder();
  let unread = '';
  for await (const chunk of stream) {
    unread += decoder.decode(chunk, { stream: true });
    const blocks = unread.split('\n\n');
    unread = blocks.pop()!;
    if (unread.length > EVENT_LIMIT_LENGTH)
      throw new ClientError('broken', 'an event is too long to be one of the API');
    for (const block of blocks) {
      const fields = Object.fromEntries(block.split('\n').map(readField));
      if (fields.data !== undefined) {
        yield { type: fields.event ?? 'message', id: fields.id ?? '', data: JSON.parse(fields.data) };
      }
    }
  }
}

function readField(line: string): readonly [name: string, value: string] {
  const at = line.indexOf(':');
  return at < 0 ? [line, ''] : [line.slice(0, at), line.slice(at + 1).replace(/^ /, '')];
}
