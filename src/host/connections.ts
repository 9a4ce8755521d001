/**
 * Connections that are counted, each under what its client sees and under what its member sees: conntrack shows now one
 * end, now the other. Bounded: when it is full the oldest is forgotten.
 */
import type { Ends } from './ends.ts';

export interface Counted {
  readonly group: number;
  readonly member: number;
  readonly keys: readonly [clientSide: string, memberSide: string];
}

export interface Connections {
  readonly size: number;
  /** Takes a connection in; answers those that it takes the place of. */
  add(counted: Counted): readonly Counted[];
  /** Takes the connection with this key out. */
  take(key: string): Counted | undefined;
}

/** More than a host's conntrack commonly holds of one kind would be of little use, and 65,536 are about 30 MB. */
const MOST = 65_536;

export function createConnections(most = MOST): Connections {
  const byKey = new Map<string, Counted>();

  function take(key: string): Counted | undefined {
    const found = byKey.get(key);
    for (const one of found?.keys ?? []) byKey.delete(one);
    return found;
  }

  return {
    get size() {
      return byKey.size / 2;
    },
    add(counted) {
      const gone = counted.keys.map(take);
      for (const key of counted.keys) byKey.set(key, counted);
      if (byKey.size > 2 * most) gone.push(take(byKey.keys().next().value!));
      return gone.filter((one) => one !== undefined);
    },
    take,
  };
}

/** A connection within its network, seen from its client. */
export function connectionKey(network: number, { protocol, source, sourcePort, destination, destinationPort }: Ends) {
  return `${network} ${protocol} ${source} ${sourcePort} ${destination} ${destinationPort}`;
}

/** The same packet seen from the other end. */
export function reversed({ protocol, source, sourcePort, destination, destinationPort }: Ends): Ends {
  return {
    protocol,
    source: destination,
    sourcePort: destinationPort,
    destination: source,
    destinationPort: sourcePort,
  };
}
