import type { HealthMonitor, Listener, LoadBalancer, Member, Pool } from '../../model/types.ts';
import {
  type Health,
  listenerOperating,
  loadBalancerOperating,
  memberOperating,
  monitorOperating,
  partProvisioning,
  poolOperating,
} from './status.ts';

/** Octavia's status tree: every part of a load balancer with its two statuses; pools appear below their listeners. */
export function statusTree(loadBalancer: LoadBalancer, health: Health): object {
  const part = partProvisioning(health);
  const member = (value: Member, of: Pool) => ({
    id: value.id,
    name: value.name,
    operating_status: memberOperating(value, of, health),
    provisioning_status: part,
    address: value.address,
    protocol_port: value.protocolPort,
  });
  const monitor = (value: HealthMonitor) => ({
    id: value.id,
    name: value.name,
    type: value.type,
    provisioning_status: part,
    operating_status: monitorOperating(value),
  });
  const pool = (value: Pool) => ({
    id: value.id,
    name: value.name,
    provisioning_status: part,
    operating_status: poolOperating(value, health),
    ...(value.healthMonitor === undefined ? {} : { health_monitor: monitor(value.healthMonitor) }),
    members: value.members.map((one) => member(one, value)),
  });
  const listener = (value: Listener) => ({
    id: value.id,
    name: value.name,
    operating_status: listenerOperating(value, health),
    provisioning_status: part,
    pools: value.defaultPool === undefined ? [] : [pool(value.defaultPool)],
  });
  return {
    loadbalancer: {
      id: loadBalancer.id,
      name: loadBalancer.name,
      operating_status: loadBalancerOperating(loadBalancer, health),
      provisioning_status: health.provisioning,
      listeners: loadBalancer.listeners.map(listener),
    },
  };
}
