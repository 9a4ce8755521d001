/**
 * The lifecycle rule: a load balancer has its balancer on a host exactly while the host has a client of it, plus a
 * linger time after the last one left. In an availability zone, on no other hosts.
 */
import { mayBeOn } from '../model/neighbours.ts';
import type { LoadBalancer, Model } from '../model/types.ts';
import { balancersOn } from './model-index.ts';
import { type ClassifiedPort, clientsOf } from './ports.ts';

export interface Lifecycle {
  /**
   * The load balancers that must be on the host now. `before` are those that a former controller left there; they count
   * as just abandoned when they have no client.
   */
  update(model: Model, ports: readonly ClassifiedPort[]): readonly LoadBalancer[];
  /** Forgets everything, timers too. */
  stop(): void;
}

export interface LifecycleInit {
  readonly hostId: string;
  readonly lingerMs: number;
  /** A linger time is over: update again. */
  readonly onDue: () => void;
  /** Milliseconds, monotonic. */
  readonly now?: () => number;
}

/** One host's balancers. */
export function createLifecycle({ hostId, lingerMs, onDue, now = () => performance.now() }: LifecycleInit): Lifecycle {
  /** Load balancer → when its last client left; undefined while it has one. */
  let present: Map<string, number | undefined> | undefined;
  let timer: NodeJS.Timeout | undefined;

  function inherit(model: Model): Map<string, number | undefined> {
    return new Map([...balancersOn(model, hostId).keys()].map((id) => [id, undefined]));
  }

  return {
    update(model, ports) {
      present ??= inherit(model);
      const time = now();
      const next = new Map<string, number | undefined>();
      const host = model.hosts.get(hostId)?.name ?? '';
      for (const one of clientsOf(model, ports)) if (mayBeOn(one, host)) next.set(one.id, undefined);
      for (const [id, left = time] of present) {
        if (next.has(id) || !model.loadBalancers.get(id)?.adminStateUp) continue;
        if (time - left < lingerMs) next.set(id, left);
      }
      present = next;
      clearTimeout(timer);
      const deadlines = [...next.values()].filter((since) => since !== undefined);
      if (deadlines.length > 0) timer = setTimeout(onDue, Math.max(0, Math.min(...deadlines) + lingerMs - time) + 1);
      return [...next.keys()].map((id) => model.loadBalancers.get(id)!).sort((a, b) => a.key - b.key);
    },
    stop() {
      clearTimeout(timer);
      present = undefined;
    },
  };
}
