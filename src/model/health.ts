import type { Balancer, MemberHealth, Model, Pool } from './types.ts';

/** Whether members are asked for their health. */
export const isMonitored = ({ healthMonitor }: Pool): boolean => healthMonitor?.adminStateUp === true;

/** What a balancer knows of its load balancer's members, by member id: in the switch that is the same for all of them. */
export function healthSeenBy(
  model: Pick<Model, 'probed' | 'observations'>,
  { id, loadBalancerId, placement }: Balancer,
): Readonly<Record<string, MemberHealth>> {
  const seen =
    placement === 'switch' ? model.probed.get(loadBalancerId)?.health : model.observations.get(id)?.memberHealth;
  return seen ?? {};
}
