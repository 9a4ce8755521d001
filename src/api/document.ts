/** The declarative document of `hostlb apply` and `PUT /v1/apply`: what must exist, by name. */
import { z } from 'zod';
import { L7_ACTIONS, L7_RULE_TYPES } from '../model/l7.ts';
import type { HealthMonitorSpec, L7PolicySpec, ListenerSpec, LoadBalancerSpec, PoolSpec } from '../model/specs.ts';
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

const l7Rule = object({ ...attributes.l7RuleShape, type: choice(L7_RULE_TYPES) });

/** Their order in the document is that of their positions. */
const { position: _, ...l7PolicyShape } = attributes.l7PolicyShape;
const l7Policy = object({
  ...described,
  ...l7PolicyShape,
  name: text.optional(),
  action: choice(L7_ACTIONS).optional(),
  redirect_pool: z.union([text, pool]).optional(),
  rules: listOf(l7Rule).optional(),
});

const listener = object({
  ...described,
  ...attributes.listenerShape,
  name: text.optional(),
  protocol: choice(LISTENER_PROTOCOLS),
  protocol_port: port,
  default_pool: z.union([text, pool]).optional(),
  l7policies: listOf(l7Policy).optional(),
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
  availability_zone: text.optional(),
  listeners: listOf(listener).optional(),
  pools: listOf(pool).optional(),
});

const network = object({ name, ...networkShape });

/** What a document is made of. */
export const documentParts = { network, loadBalancer, listener, l7Policy, l7Rule, pool, member, monitor };

/**
 * Networks are made before load balancers; `default_pool` and `redirect_pool` are a pool or the name of one of the load
 * balancer's `pools`, `flavor` the id or name of a flavor.
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
  const { name, description, owner, network, placement, flavor, availability_zone: availabilityZone } = entry;
  return {
    ...{ name, description, owner, network, placement, flavor, availabilityZone },
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
    l7Policies: (entry.l7policies ?? []).map(l7PolicySpec),
  };
}

function l7PolicySpec(entry: z.output<typeof l7Policy>): L7PolicySpec {
  const { name, description, action, redirect_pool: redirectPool, rules = [] } = entry;
  return {
    ...{ name, description, action },
    ...attributes.l7PolicyAttributes(entry),
    adminStateUp: entry.admin_state_up,
    redirectPool: typeof redirectPool === 'object' ? poolSpec(redirectPool) : redirectPool,
    rules: rules.map((item) => ({
      ...attributes.l7RuleAttributes(item),
      ...{ type: item.type, compareType: item.compare_type, value: item.value },
    })),
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
