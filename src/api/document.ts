/** The declarative document of `hostlb apply` and `PUT /v1/apply`: what must exist, by name. */
import { z } from 'zod';
import type { HealthMonitorSpec, ListenerSpec, LoadBalancerSpec, PoolSpec } from '../model/specs.ts';
import { ALGORITHMS, LISTENER_PROTOCOLS, MONITOR_TYPES, PLACEMENTS, POOL_PROTOCOLS } from '../model/types.ts';
import * as attributes from './attributes.ts';
import { address, choice, flag, listOf, object, port, text } from './fields.ts';
import { networkShape } from './own/networks.ts';
import { parse } from './validate.ts';

const name = text.min(1, 'Value should not be empty');
const admin = { admin_state_up: flag.optional() };
const described = { ...admin, description: text.optional() };

const member = object({
  ...admin,
  ...attributes.memberShape,
  name: text.optional(),
  address,
  protocol_port: port,
});

const monitor = object({ ...attributes.monitorShape, type: choice(MONITOR_TYPES) });

const pool = object({
  ...described,
  ...attributes.poolShape,
  name: text.optional(),
  protocol: choice(POOL_PROTOCOLS).optional(),
  lb_algorithm: choice(ALGORITHMS),
  session_persistence: attributes.persistence.nullish(),
  healthmonitor: monitor.nullish(),
  members: listOf(member).optional(),
});

const listener = object({
  ...described,
  ...attributes.listenerShape,
  name: text.optional(),
  protocol: choice(LISTENER_PROTOCOLS),
  protocol_port: port,
  default_pool: z.union([text, pool]).optional(),
});

const loadBalancer = object({
  ...described,
  ...attributes.loadBalancerShape,
  name,
  owner: text.optional(),
  network: name,
  vips: listOf(address).optional(),
  placement: choice(PLACEMENTS).optional(),
  flavor: text.optional(),
  listeners: listOf(listener).optional(),
  pools: listOf(pool).optional(),
});

const network = object({ name, ...networkShape });

/** What a document is made of. */
export const documentParts = { network, loadBalancer, listener, pool, member, monitor };

/**
 * Networks are made before load balancers; `default_pool` is a pool or the name of one of the load balancer's `pools`,
 * `flavor` the id or name of a flavor.
 */
export const documentSchema = object({
  networks: listOf(network).optional(),
  load_balancers: listOf(loadBalancer).optional(),
});
export type Document = z.output<typeof documentSchema>;

/** Checks a document as it was read from a file or a request. Throws ApiError 400 that names the path at fault. */
export function checkDocument(value: unknown): Document {
  return parse(documentSchema, value ?? {}, { at: 'document', argument: 'document' });
}

type LoadBalancerEntry = z.output<typeof loadBalancer>;

/** The load balancer of the document as the store takes it. Lists that the document leaves out are empty. */
export function loadBalancerSpec(entry: LoadBalancerEntry): LoadBalancerSpec & { readonly name: string } {
  const { name, description, owner, network, placement, flavor } = entry;
  return {
    ...{ name, description, owner, network, placement, flavor },
    ...attributes.loadBalancerAttributes(entry),
    vips: entry.vips ?? [],
    adminStateUp: entry.admin_state_up,
    listeners: (entry.listeners ?? []).map(listenerSpec),
    pools: (entry.pools ?? []).map(poolSpec),
  };
}

function listenerSpec(entry: z.output<typeof listener>): ListenerSpec {
  const { name, description, protocol, default_pool: defaultPool } = entry;
  return {
    ...{ name, description, protocol },
    ...attributes.listenerAttributes(entry),
    protocolPort: entry.protocol_port,
    adminStateUp: entry.admin_state_up,
    defaultPool: typeof defaultPool === 'object' ? poolSpec(defaultPool) : defaultPool,
  };
}

function poolSpec(entry: z.output<typeof pool>): PoolSpec {
  const { name, description, protocol, lb_algorithm: algorithm, members = [] } = entry;
  const { session_persistence: persistence, healthmonitor } = entry;
  return {
    ...{ name, description, protocol, algorithm },
    ...attributes.poolAttributes(entry),
    sessionPersistence: persistence ? attributes.persistenceSpec(persistence) : undefined,
    healthMonitor: healthmonitor ? monitorSpec(healthmonitor) : undefined,
    adminStateUp: entry.admin_state_up,
    members: members.map((item) => ({
      ...{ name: item.name, address: item.address },
      ...attributes.memberAttributes(item),
      protocolPort: item.protocol_port,
      adminStateUp: item.admin_state_up,
    })),
  };
}

function monitorSpec(entry: z.output<typeof monitor>): HealthMonitorSpec {
  return { ...attributes.newMonitorAttributes(entry), type: entry.type };
}
