import type { Balancer, Model } from '../model/types.ts';

type ByHost = ReadonlyMap<string, ReadonlyMap<string, Balancer>>;

const NONE: ReadonlyMap<string, Balancer> = new Map();
/** Hosts ask for their balancers several times at each change. */
const indexes = new WeakMap<Model['balancers'], ByHost>();

/** The balancers of a host by load balancer. */
export function balancersOn(model: Model, hostId: string): ReadonlyMap<string, Balancer> {
  const known = indexes.get(model.balancers);
  const index = known ?? indexByHost(model.balancers.values());
  if (known === undefined) indexes.set(model.balancers, index);
  return index.get(hostId) ?? NONE;
}

function indexByHost(balancers: Iterable<Balancer>): ByHost {
  const index = new Map<string, Map<string, Balancer>>();
  for (const balancer of balancers) {
    const { hostId, loadBalancerId } = balancer;
    const here = index.get(hostId);
    if (here === undefined) index.set(hostId, new Map([[loadBalancerId, balancer]]));
    else here.set(loadBalancerId, balancer);
  }
  return index;
}
