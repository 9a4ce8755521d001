/** Which of a host's VMs are members that answer their clients themselves. Pure. */
import type { Model } from '../model/types.ts';
import type { PortView, ResidentView } from '../pipeline/view.ts';
import { indexOf } from './model-index.ts';

/**
 * The VMs behind these ports that are members, load balancers and members by key. A member is known by the MAC that its
 * address was found at, so it needs no registration and is followed when it moves.
 */
export function residentsOf(model: Model, ports: readonly PortView[]): readonly ResidentView[] {
  const index = indexOf(model);
  const residents = ports.flatMap(({ mac, ofport, network }) =>
    [...index.residences(network.id, mac)].map((residence) => ({ ...residence, mac, ofport })),
  );
  return residents.sort((a, b) => a.loadBalancer.key - b.loadBalancer.key || a.member.key - b.member.key);
}
