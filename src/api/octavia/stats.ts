/** What balancers counted, as Octavia has it: totals over all hosts. */
import type { Counters, Listener, LoadBalancer, Model, Observation } from '../../model/types.ts';
import type { CountersJson } from '../resources.ts';

const NONE: Counters = { activeConnections: 0, totalConnections: 0, bytesIn: 0, bytesOut: 0, requestErrors: 0 };

/** A balancer's figures of a listener or member; zeros where it has none. */
export function countersOf(observation: Observation | undefined, id: string): Counters {
  return observation?.counters[id] ?? NONE;
}

export function sum(all: readonly Counters[]): Counters {
  return all.reduce(
    (a, b) => ({
      activeConnections: a.activeConnections + b.activeConnections,
      totalConnections: a.totalConnections + b.totalConnections,
      bytesIn: a.bytesIn + b.bytesIn,
      bytesOut: a.bytesOut + b.bytesOut,
      requestErrors: a.requestErrors + b.requestErrors,
    }),
    NONE,
  );
}

export function countersJson(counters: Counters): CountersJson {
  return {
    bytes_in: counters.bytesIn,
    bytes_out: counters.bytesOut,
    active_connections: counters.activeConnections,
    total_connections: counters.totalConnections,
    request_errors: counters.requestErrors,
  };
}

/** The sum over some of a load balancer's listeners and all of its balancers. */
export function listenerTotals(model: Model, loadBalancer: LoadBalancer, listeners: readonly Listener[]): CountersJson {
  const balancers = [...model.balancers.values()].filter(({ loadBalancerId }) => loadBalancerId === loadBalancer.id);
  const counted = balancers.flatMap(({ id }) =>
    listeners.map((listener) => countersOf(model.observations.get(id), listener.id)),
  );
  return countersJson(sum(counted));
}
