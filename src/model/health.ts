import { servedBy } from './transport.ts';
import type { Balancer, LoadBalancer, MemberHealth, Model, Pool } from './types.ts';

/** Whether members are asked for their health. */
export const isMonitored = ({ healthMonitor }: Pool): boolean => healthMonitor?.adminStateUp === true;

/** Whether the controllers ask its members, through hosts' switches; else each balancer asks for itself. */
export function isAskedThroughSwitches({ placement }: Pick<LoadBalancer, 'placement'>, pool: Pool): boolean {
  return isMonitored(pool) && servedBy(placement, pool.protocol) === 'switch';
}

/** What a balancer knows of its load balancer's members, by member id. What controllers found is the same for all of them. */
export function healthSeenBy(
  model: Pick<Model, 'probed' | 'observations'>,
  { id, loadBalancerId, placement }: Balancer,
): Readonly<Record<string, MemberHealth>> {
  const probed = model.probed.get(loadBalancerId)?.health;
  const observed = placement === 'switch' ? undefined : model.observations.get(id)?.memberHealth;
  if (probed === undefined || observed === undefined) return probed ?? observed ?? {};
  return { ...observed, ...probed };
}
