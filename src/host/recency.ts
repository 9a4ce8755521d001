/** Which load balancers have had traffic last, as far as readings of what flows have counted tell. */
import type { FlowCount } from '../pipeline/counted.ts';
import type { CountListener } from './counts.ts';

export interface Recency {
  /** To be told of every reading; passes it on. */
  readonly counts: CountListener;
  /** Keys of load balancers that have had traffic, those first that had some last. */
  latest(): readonly number[];
}

const packetsOf = (flows: readonly FlowCount[]): number => flows.reduce((sum, { packets }) => sum + packets, 0);

/** Outlives sessions: a switch that was started again has counted nothing. */
export function createRecency(listener: CountListener): Recency {
  /** Load balancer → packets, those last that had some last. */
  const seen = new Map<number, number>();

  function see(loadBalancer: number, flows: readonly FlowCount[]): void {
    const packets = packetsOf(flows);
    if (packets === 0 || packets === seen.get(loadBalancer)) return;
    seen.delete(loadBalancer);
    seen.set(loadBalancer, packets);
  }

  return {
    counts: {
      connected: () => listener.connected(),
      counted(loadBalancer, flows) {
        see(loadBalancer, flows);
        listener.counted(loadBalancer, flows);
      },
      countedAll(flows) {
        for (const key of seen.keys()) if (flows.size > 0 && !flows.has(key)) seen.delete(key);
        for (const [key, counted] of flows) see(key, counted);
        listener.countedAll(flows);
      },
      gone: (loadBalancer, flows) => listener.gone(loadBalancer, flows),
    },
    latest: () => [...seen.keys()].reverse(),
  };
}
