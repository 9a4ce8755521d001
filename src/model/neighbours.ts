/** The permanent neighbour entries that a VM needs: VIPs that nobody answers lookups for (lookup mode `static`). */
import type { LoadBalancer, Model } from './types.ts';
import { vipMac } from './vip-mac.ts';

export interface StaticNeighbour {
  /** A VIP. */
  readonly address: string;
  /** Its VIP MAC. */
  readonly mac: string;
  readonly loadBalancerId: string;
}

/** Where a VM is and whose it is; an empty owner matches any. */
export interface Neighbourhood {
  /** Name of its host; undefined: not known yet. */
  readonly host?: string | undefined;
  readonly networkId: string;
  readonly owner: string;
}

/** Whether the load balancer may have a balancer on the host of that name. */
export function mayBeOn({ availabilityZone }: Pick<LoadBalancer, 'availabilityZone'>, host: string): boolean {
  return availabilityZone === undefined || availabilityZone.profile.hosts.includes(host);
}

/** Whether a load balancer is for clients there: its network, and its owner, where none on either side matches any. */
export function isServedTo(loadBalancer: LoadBalancer, { host, networkId, owner }: Neighbourhood): boolean {
  if (host !== undefined && !mayBeOn(loadBalancer, host)) return false;
  if (loadBalancer.network.id !== networkId) return false;
  return owner === '' || loadBalancer.owner === '' || loadBalancer.owner === owner;
}

/** The entries, in order of creation of their load balancers. */
export function staticNeighbours(model: Model, where: Neighbourhood): readonly StaticNeighbour[] {
  return [...model.loadBalancers.values()]
    .filter((loadBalancer) => loadBalancer.lookupMode === 'static' && isServedTo(loadBalancer, where))
    .sort((a, b) => a.key - b.key)
    .flatMap(({ id, vips }) => vips.map((address) => ({ address, mac: vipMac(id), loadBalancerId: id })));
}
