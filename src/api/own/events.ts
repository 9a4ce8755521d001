import { reach } from '../auth/caller.ts';
import { ApiError, invalidField } from '../errors.ts';
import { streamEvents } from '../events/stream.ts';
import { EVENT_KINDS, type EventJson, type EventKind, type EventsJson } from '../resources.ts';
import type { Answer, Call, Route } from '../route.ts';

/** Each holds a connection. */
const MOST_READERS = 256;
const LONGEST_ID = 64;

let readers = 0;

/** A stream; with `?follow=false` the events that are remembered, as a list. */
function events(call: Call): Answer {
  const wanted = filter(call);
  if (call.query.get('follow')?.toLowerCase() === 'false') {
    return { body: { events: call.events.all().filter(wanted) } satisfies EventsJson };
  }
  if (readers >= MOST_READERS)
    throw new ApiError(503, `${MOST_READERS} readers follow events already: try again later`);
  const given = call.header('last-event-id');
  const lastId = given === undefined || given === '' ? undefined : given.slice(0, LONGEST_ID);
  return {
    contentType: 'text/event-stream',
    stream: (response) => {
      readers++;
      streamEvents(call.events, response, { lastId, wanted, ended: () => readers-- });
    },
  };
}

/** `?kind=host,balancer`; of these, what the caller may see: hosts belong to nobody. */
function filter({ query, caller, mayReach }: Call): (event: EventJson) => boolean {
  const kinds = query.getAll('kind').flatMap((text) => text.split(','));
  const stranger = kinds.find((kind) => !EVENT_KINDS.includes(kind as EventKind));
  if (stranger !== undefined) throw invalidField('kind', stranger, `Value should be one of: ${EVENT_KINDS.join(', ')}`);
  const isSurveyor = reach(caller, 'survey') === 'all';
  const isVisible = ({ kind, object }: EventJson): boolean =>
    kind === 'host' ? isSurveyor : mayReach(String(object.project_id));
  return (event) => (kinds.length === 0 || kinds.includes(event.kind)) && isVisible(event);
}

export const eventRoutes: readonly Route[] = [{ method: 'GET', path: '/events', answer: events }];
