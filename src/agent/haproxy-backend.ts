/** Pools as backends of HAProxy. */
import { isEffective, type L7Policy } from '../model/l7.ts';
import { LIMITS } from '../model/limits.ts';
import { transportOf } from '../model/transport.ts';
import type { Algorithm, Listener, Pool } from '../model/types.ts';
import { checkLines } from './haproxy-checks.ts';
import { argument, quoted } from './haproxy-words.ts';

/**
 * A pool as some of its listeners use it. HAProxy has the protocol and the time-outs toward members in the backend, but
 * they are the listeners': listeners that agree in them share one.
 */
export interface Backend {
  /** The pool's id; `.2`, `.3` for further ones of the same pool. */
  readonly name: string;
  readonly pool: Pool;
  readonly mode: 'tcp' | 'http';
  readonly connectMs: number;
  readonly dataMs: number;
}

/** A listener that is served. */
export interface Service {
  readonly listener: Listener;
  readonly mode: Backend['mode'];
  /** Undefined: whoever no policy leads elsewhere is told that there is nobody (503). */
  readonly backend: Backend | undefined;
  /** Those that can do something, by position. */
  readonly policies: readonly ServedPolicy[];
}

export interface ServedPolicy {
  readonly policy: L7Policy;
  /** With REDIRECT_TO_POOL. */
  readonly backend: Backend | undefined;
}

/** Whether HAProxy serves listeners and pools of this protocol; the others are the switch's. */
export const isServedHere = ({ protocol }: Pick<Listener | Pool, 'protocol'>): boolean =>
  transportOf(protocol) === 'tcp';

/**
 * What serves the listeners of its own that are up and have a pool that is up or an L7 policy that can do something. A policy
 * whose pool is down is passed over. The order is that of the listeners.
 */
export function servicesOf(listeners: readonly Listener[]): Service[] {
  const backendOf = backendsOf();
  return listeners.filter(isServedHere).flatMap((listener) => {
    const { defaultPool, protocol, l7Policies } = listener;
    const backend = backendOf(listener, defaultPool);
    const policies = l7Policies
      .filter(isEffective)
      .map((policy) => ({ policy, backend: backendOf(listener, policy.redirectPool) }))
      .filter(({ policy, backend: its }) => policy.action !== 'REDIRECT_TO_POOL' || its !== undefined);
    if (!listener.adminStateUp || (backend === undefined && policies.length === 0)) return [];
    return { listener, mode: modeOf(protocol), backend, policies };
  });
}

const modeOf = (protocol: Listener['protocol']): Backend['mode'] => (protocol === 'HTTP' ? 'http' : 'tcp');

/** Finds the backend of a pool for a listener; undefined where the pool or the listener is down. */
function backendsOf(): (listener: Listener, pool: Pool | undefined) => Backend | undefined {
  const known = new Map<string, Backend>();
  const counts = new Map<string, number>();
  return ({ adminStateUp, protocol, timeouts }, pool) => {
    if (!adminStateUp || !pool?.adminStateUp) return undefined;
    const { memberConnectMs: connectMs, memberDataMs: dataMs } = timeouts;
    const mode = modeOf(protocol);
    const identity = [pool.id, mode, connectMs, dataMs].join(' ');
    let backend = known.get(identity);
    if (backend === undefined) {
      const count = (counts.get(pool.id) ?? 0) + 1;
      counts.set(pool.id, count);
      backend = { name: count === 1 ? pool.id : `${pool.id}.${count}`, pool, mode, connectMs, dataMs };
      known.set(identity, backend);
    }
    return backend;
  };
}

/** A time-out of the model: 0 is none, which HAProxy has no word for. */
export const duration = (ms: number): string => `${ms === 0 ? LIMITS.maxTimeoutMs : ms}ms`;

/** The section without its servers. */
export function backendLines(backend: Backend): string[] {
  const { pool, mode, connectMs, dataMs } = backend;
  return [
    `mode ${mode}`,
    `timeout connect ${duration(connectMs)}`,
    `timeout server ${duration(dataMs)}`,
    ...BALANCE[pool.algorithm],
    ...persistenceLines(backend),
    ...checkLines(pool),
  ];
}

/**
 * All of them heed weights and take servers while HAProxy runs; a hash is consistent, so that a change of members moves few
 * clients. SOURCE_IP_PORT keeps a connection's requests together; clients' ports make it as good as random.
 */
const BALANCE: Readonly<Record<Algorithm, readonly string[]>> = {
  ROUND_ROBIN: ['balance roundrobin'],
  LEAST_CONNECTIONS: ['balance leastconn'],
  SOURCE_IP: ['balance source', 'hash-type consistent'],
  SOURCE_IP_PORT: [
    'tcp-request content set-var-fmt(txn.client) %ci:%cp',
    'balance hash var(txn.client)',
    'hash-type consistent',
  ],
};

/** Octavia's name of the cookie that HTTP_COOKIE sets. */
const COOKIE = 'SRV';
/** Clients that a table remembers; then the longest unused one goes. */
const TABLE_SIZE = '10k';
const SESSION_NAME_SIZE = 128;

/** Name of the section that keeps tables over reloads: the old worker tells the new one. */
export const TABLES = 'tables';

/** Cookies need a listener that speaks HTTP. */
const persists = ({ pool, mode }: Backend): Pool['sessionPersistence'] =>
  mode === 'http' || pool.sessionPersistence?.type === 'SOURCE_IP' ? pool.sessionPersistence : undefined;

/**
 * Persistence leads to a member while it is there, up, and enabled, be its weight 0; else to another one, from then on.
 * HTTP_COOKIE names a member by a hash of its address, port and pool, so a cookie is good on every host.
 */
function persistenceLines(backend: Backend): string[] {
  const persistence = persists(backend);
  const table = `table ${TABLES}/${backend.pool.id}`;
  switch (persistence?.type) {
    case undefined:
      return [];
    case 'SOURCE_IP':
      return [`stick on src ${table}`];
    case 'HTTP_COOKIE':
      return [`cookie ${COOKIE} insert indirect nocache dynamic`, `dynamic-cookie-key ${cookieKey(backend)}`];
    case 'APP_COOKIE': {
      const cookie = (of: 'req' | 'res') => quoted(`${of}.cook(${argument(persistence.cookieName!)})`);
      return [`stick on ${cookie('req')} ${table}`, `stick store-response ${cookie('res')} ${table}`];
    }
  }
}

/** With what cookies of a backend's servers are made; undefined when they have none. */
export function cookieKey(backend: Backend): string | undefined {
  return persists(backend)?.type === 'HTTP_COOKIE' ? backend.pool.id : undefined;
}

/** Tables of what persistence must remember. */
export function tableLines(backends: readonly Backend[]): string[] {
  const lines = backends.flatMap((backend) => {
    const type = persists(backend)?.type;
    if (type !== 'SOURCE_IP' && type !== 'APP_COOKIE') return [];
    // Of type ipv6, it takes IPv4 addresses, too.
    const key = type === 'SOURCE_IP' ? 'ipv6' : `string len ${SESSION_NAME_SIZE}`;
    return [`table ${backend.pool.id} type ${key} size ${TABLE_SIZE}`];
  });
  return [...new Set(lines)];
}
