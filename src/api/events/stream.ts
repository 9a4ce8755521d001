/** Events as server-sent events (WHATWG HTML, section 9.2). */
import type { ServerResponse } from 'node:http';
import type { EventJson } from '../resources.ts';
import type { EventLog } from './log.ts';

/** A reader with more than this unread is cut off: it may resume when it can. */
const UNREAD_LIMIT_BYTES = 1024 * 1024;
/** Tells both ends that the other one is there. */
const ALIVE_MS = 15_000;
/** Then the reader resumes, and whether it may read is looked at again. */
const LONGEST_MS = 30 * 60_000;
const RETRY_MS = 1_000;

export interface StreamOptions {
  /** Id of the last event that the reader has; undefined = begin now. */
  readonly lastId: string | undefined;
  readonly wanted: (event: EventJson) => boolean;
  /** Called once, when the reader has gone or was cut off. */
  readonly ended: () => void;
}

/**
 * Sends `ready` with the id to resume from, or `reset` where the events after `lastId` are not remembered, then every
 * event until the reader goes.
 */
export function streamEvents(
  log: Pick<EventLog, 'newest' | 'after' | 'follow'>,
  response: ServerResponse,
  { lastId, wanted, ended }: StreamOptions,
): void {
  const send = (text: string): void => {
    if (response.destroyed || response.writableEnded) return;
    response.write(text);
    if (response.writableLength > UNREAD_LIMIT_BYTES) response.destroy();
  };
  const deliver = (event: EventJson): void => {
    if (wanted(event)) send(printed(event.type, event.id, event));
  };
  const missed = lastId === undefined ? [] : log.after(lastId);
  send(`retry: ${RETRY_MS}\n`);
  if (missed === undefined) {
    const reason = 'the events after that id are no longer known: read what you follow anew';
    send(printed('reset', log.newest, { reason, last_event_id: lastId }));
  } else {
    if (lastId === undefined) send(printed('ready', log.newest, {}));
    for (const event of missed) deliver(event);
  }
  const leave = log.follow(deliver);
  const alive = setInterval(() => send(':\n\n'), ALIVE_MS);
  const enough = setTimeout(() => response.end(), LONGEST_MS);
  response.once('close', () => {
    leave();
    clearInterval(alive);
    clearTimeout(enough);
    ended();
  });
}

function printed(type: string, id: string, data: object): string {
  return `event: ${type}\nid: ${id}\ndata: ${JSON.stringify(data)}\n\n`;
}
