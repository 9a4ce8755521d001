import type { ServerResponse } from 'node:http';
import type { ControllerView } from '../controller/view.ts';
import type { Model } from '../model/types.ts';
import type { Store } from '../store/types.ts';
import type { Caller } from './auth/caller.ts';
import type { EventLog } from './events/log.ts';

/** One row of a route table: a method, a path below a prefix and what answers. */
export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** As fastify writes paths: `/lbaas/pools/:id`. */
  readonly path: string;
  readonly answer: (call: Call) => Answer | Promise<Answer>;
}

/** A request, as handlers see it. */
export interface Call {
  readonly store: Store;
  readonly view: ControllerView;
  readonly events: EventLog;
  /**
   * The model now, as far as the caller may see it: the load balancers of others are not in it. After a write has resolved,
   * the model with it.
   */
  readonly model: Model;
  readonly caller: Caller;
  /** Whether the caller may treat what belongs to this owner as the route's right says. */
  readonly mayReach: (owner: string) => boolean;
  /** Address that the request came from. */
  readonly source: string;
  /** A header of the request, by its name in small letters. */
  readonly header: (name: string) => string | undefined;
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** Parsed JSON, not yet checked; undefined when there was none. */
  readonly body: unknown;
  /** `http://host:port`, as the client addressed us. */
  readonly origin: string;
  /** Path of the request without its query. */
  readonly path: string;
}

export interface Answer {
  /** Default 200. */
  readonly status?: number | undefined;
  /** JSON, or a string for text; absent = no body. */
  readonly body?: unknown;
  /** Of a text; default text/plain. */
  readonly contentType?: string | undefined;
  /** Instead of a body: writes for as long as it likes, and is cut off when the API closes. */
  readonly stream?: ((response: ServerResponse) => void) | undefined;
  /** The change number of a write. */
  readonly generation?: number | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** The parameter of that name; the route's path promises that it is there. */
export function param(call: Call, name: string): string {
  return call.params[name]!;
}
