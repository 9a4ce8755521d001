import type { ModelChange } from '../store/types.ts';

/** Hosts, by id, whose desired state a change may concern. What hosts and balancers report of themselves concerns no other. */
export function hostsTouched({ previous, model, ...change }: ModelChange): ReadonlySet<string> | 'all' {
  const { networks, ports, loadBalancers, neighbours, addresses } = change;
  const isShared = networks.size + ports.size + loadBalancers.size + neighbours.size > 0 || addresses;
  if (isShared || previous.generation !== model.generation) return 'all';
  const hosts = [...change.balancers].map((id) => (model.balancers.get(id) ?? previous.balancers.get(id))?.hostId);
  if (change.probed.size > 0) {
    for (const { loadBalancerId, hostId } of model.balancers.values()) {
      if (change.probed.has(loadBalancerId)) hosts.push(hostId);
    }
  }
  return new Set(hosts.filter((id) => id !== undefined));
}
