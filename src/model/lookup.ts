/** Finding objects of a model by id or name. Those that throw say `not found` in Octavia's words. */
import { ModelError } from './errors.ts';
import type { Host, Listener, LoadBalancer, Member, Model, Network, Pool } from './types.ts';

/** A model with nothing in it. */
export const EMPTY_MODEL: Model = {
  generation: 0,
  networks: new Map(),
  hosts: new Map(),
  ports: new Map(),
  loadBalancers: new Map(),
  balancers: new Map(),
  addresses: [],
  neighbours: new Map(),
  ownerKeys: new Map(),
  flavorProfiles: new Map(),
  flavors: new Map(),
  virtualMachines: new Map(),
  virtualMachineQuotas: new Map(),
  observations: new Map(),
};

/** By id, else by name. */
export function findNetwork(model: Model, idOrName: string): Network | undefined {
  return model.networks.get(idOrName) ?? byName(model.networks, idOrName);
}

/** By id, else by name. */
export function findHost(model: Model, idOrName: string): Host | undefined {
  return model.hosts.get(idOrName) ?? byName(model.hosts, idOrName);
}

/** The listener and the load balancer it belongs to. */
export function findListener(
  model: Model,
  id: string,
): { readonly loadBalancer: LoadBalancer; readonly listener: Listener } | undefined {
  for (const loadBalancer of model.loadBalancers.values()) {
    const listener = loadBalancer.listeners.find((candidate) => candidate.id === id);
    if (listener !== undefined) return { loadBalancer, listener };
  }
  return undefined;
}

/** The pool and the load balancer it belongs to. */
export function findPool(
  model: Model,
  id: string,
): { readonly loadBalancer: LoadBalancer; readonly pool: Pool } | undefined {
  for (const loadBalancer of model.loadBalancers.values()) {
    const pool = loadBalancer.pools.find((candidate) => candidate.id === id);
    if (pool !== undefined) return { loadBalancer, pool };
  }
  return undefined;
}

/** Throws ModelError('not-found'). */
export function requireNetwork(model: Model, idOrName: string): Network {
  return found(findNetwork(model, idOrName), 'Network', idOrName);
}

/** Throws ModelError('not-found'). */
export function requireHost(model: Model, idOrName: string): Host {
  return found(findHost(model, idOrName), 'Host', idOrName);
}

/** Throws ModelError('not-found'). */
export function requireLoadBalancer(model: Model, id: string): LoadBalancer {
  return found(model.loadBalancers.get(id), 'Load Balancer', id);
}

/** Throws ModelError('not-found'). */
export function requireListener(model: Model, id: string): NonNullable<ReturnType<typeof findListener>> {
  return found(findListener(model, id), 'Listener', id);
}

/** Throws ModelError('not-found'). */
export function requirePool(model: Model, id: string): NonNullable<ReturnType<typeof findPool>> {
  return found(findPool(model, id), 'Pool', id);
}

/** Throws ModelError('not-found') for the pool or the member. */
export function requireMember(
  model: Model,
  poolId: string,
  id: string,
): { readonly loadBalancer: LoadBalancer; readonly pool: Pool; readonly member: Member } {
  const { loadBalancer, pool } = requirePool(model, poolId);
  const member = found(
    pool.members.find((candidate) => candidate.id === id),
    'Member',
    id,
  );
  return { loadBalancer, pool, member };
}

function found<T>(value: T | undefined, kind: string, id: string): T {
  if (value === undefined) throw new ModelError('not-found', `${kind} ${id} not found.`);
  return value;
}

function byName<T extends { readonly name: string }>(objects: ReadonlyMap<string, T>, name: string): T | undefined {
  for (const object of objects.values()) if (object.name === name) return object;
  return undefined;
}
