/**
 * Connections that are counted. Each is found by what its client sees and by what its member sees, as conntrack shows now
 * one end, now the other. Bounded: when there are too many the oldest is forgotten.
 */
import type { Chooser } from '../pipeline/choosers.ts';
import type { Ends } from './ends.ts';

/** A connection as it begins. */
export interface Counted {
  readonly member: number;
  /** Who chose the member, and counts. */
  readonly chooser: Chooser;
  readonly network: number;
  /** From the client to the VIP. */
  readonly clientSide: Ends;
  /** From the client to the member. */
  readonly memberSide: Ends;
}

export interface Connections {
  readonly size: number;
  /** Takes a connection in; answers those that gave way: with the same ends, or the oldest. */
  add(counted: Counted): readonly Counted[];
  /** Takes the connection out that has these ends on either side. */
  take(network: number, ends: Ends): Counted | undefined;
  takeById(id: number): Counted | undefined;
  /** Some that have not been asked for in a while, longest first; they count as asked for now. */
  due(): Iterable<readonly [id: number, counted: Counted]>;
}

export interface ConnectionsInit {
  readonly now: () => number;
  readonly most: number;
  /** How long a connection is believed to go on without a word. */
  readonly patienceMs: number;
  /** How many may be due at once. */
  readonly mostDue: number;
}

/** 65,536 take about 40 MB; 40 each 0.4 s are 6,000 a minute. */
export const CONNECTIONS: Omit<ConnectionsInit, 'now'> = { most: 65_536, patienceMs: 60_000, mostDue: 40 };

export function createConnections({ now, most, patienceMs, mostDue }: ConnectionsInit): Connections {
  /** Those asked for longest ago come first. */
  const byId = new Map<number, { readonly counted: Counted; readonly askedMs: number }>();
  const ids = new Map<string, number>();
  let last = 0;

  function takeById(id: number): Counted | undefined {
    const found = byId.get(id)?.counted;
    byId.delete(id);
    for (const key of found === undefined ? [] : keysOf(found)) if (ids.get(key) === id) ids.delete(key);
    return found;
  }

  return {
    get size() {
      return byId.size;
    },
    add(counted) {
      const gone = keysOf(counted).map((key) => takeById(ids.get(key) ?? 0));
      last = (last % 0xffff_ffff) + 1;
      byId.set(last, { counted, askedMs: now() });
      for (const key of keysOf(counted)) ids.set(key, last);
      if (byId.size > most) gone.push(takeById(byId.keys().next().value!));
      return gone.filter((one) => one !== undefined);
    },
    take: (network, ends) => takeById(ids.get(connectionKey(network, ends)) ?? 0),
    takeById,
    *due() {
      const nowMs = now();
      for (const [id, { counted, askedMs }] of [...first(byId, mostDue)]) {
        if (nowMs - askedMs < patienceMs) return;
        byId.delete(id);
        byId.set(id, { counted, askedMs: nowMs });
        yield [id, counted];
      }
    },
  };
}

function* first<T>(all: Iterable<T>, count: number): Generator<T, void> {
  let left = count;
  for (const one of all) {
    if (left-- === 0) return;
    yield one;
  }
}

const keysOf = ({ network, clientSide, memberSide }: Counted): readonly string[] => [
  connectionKey(network, clientSide),
  connectionKey(network, memberSide),
];

/** A connection within its network, seen from its client. */
export function connectionKey(network: number, ends: Ends): string {
  const { protocol, source, sourcePort, destination, destinationPort } = ends;
  return `${network} ${protocol} ${source} ${sourcePort} ${destination} ${destinationPort}`;
}
