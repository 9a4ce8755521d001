/** Making a load balancer be as specified: what matches is changed in place, the rest is added or removed. */
import { randomUUID } from 'node:crypto';
import { canonicalAddress, compareAddresses } from '../../model/addresses.ts';
import type { ListenerDraft, LoadBalancerDraft, PoolDraft } from '../../model/drafts.ts';
import { ModelError } from '../../model/errors.ts';
import { requireFlavor, requireNetwork } from '../../model/lookup.ts';
import type { LoadBalancerSpec } from '../../model/specs.ts';
import type { Listener, LoadBalancer, Model, Pool } from '../../model/types.ts';
import {
  draftChildren,
  draftLoadBalancer,
  draftLoadBalancerHead,
  endpoint,
  poolContext,
  sameEndpoint,
} from '../../model/validate.ts';
import { byUuid, mutate, type Operation, update } from '../../ovsdb/index.ts';
import type { ChangeSet } from '../change-set.ts';
import { LoadBalancerTable, PoolTable } from '../rows.ts';
import type { Write } from '../writer.ts';
import { applyL7Policies, uncountL7Policies } from './apply-l7.ts';
import {
  insertHealthMonitor,
  insertListener,
  insertLoadBalancer,
  insertMember,
  insertPool,
  type PoolIds,
  poolIdOf,
  poolReferencesOf,
} from './inserts.ts';
import { patchHealthMonitor, patchListener, patchLoadBalancer, patchMember, patchPool } from './patches.ts';

type Head = ReturnType<typeof draftLoadBalancerHead>;
type Children = Pick<LoadBalancerDraft, 'listeners' | 'pools'>;

/**
 * Makes the load balancer of that name and owner be as specified. Attributes that are absent take their default;
 * listeners, pools and members that are not mentioned go. Nothing is written when nothing differs.
 */
export function applyLoadBalancer(spec: LoadBalancerSpec & { readonly name: string }): Write {
  const newId = randomUUID();
  return {
    plan: (changes) => {
      const head = draftLoadBalancerHead(spec);
      if (head.name === '') throw new ModelError('invalid', 'a load balancer without a name cannot be applied');
      const existing = findByName(changes.model, head);
      if (existing === undefined) {
        insertLoadBalancer(changes, draftLoadBalancer(changes.model, spec), newId);
        return newId;
      }
      requireSameImmutables(changes.model, existing, { head, spec });
      const context = poolContext(changes.model, existing);
      const children = draftChildren(context, spec.listeners ?? [], spec.pools ?? []);
      const operations = [...patchLoadBalancer(existing, head), ...applyChildren(changes, existing, children)];
      if (operations.length > 0) {
        changes.add(...operations);
        changes.touch(existing.id);
      }
      return existing.id;
    },
  };
}

function findByName(model: Model, { name, owner }: Head): LoadBalancer | undefined {
  const found = [...model.loadBalancers.values()].filter((one) => one.name === name && one.owner === owner);
  if (found.length > 1) {
    const ids = found.map(({ id }) => id).join(', ');
    throw new ModelError('conflict', `${found.length} load balancers are named ${name}: ${ids}`);
  }
  return found[0];
}

function requireSameImmutables(
  model: Model,
  existing: LoadBalancer,
  wanted: { readonly head: Head; readonly spec: LoadBalancerSpec },
): void {
  const network = requireNetwork(model, wanted.spec.network);
  const vips = wanted.spec.vips.map(canonicalAddress).sort(compareAddresses);
  const flavor = existing.flavorId === undefined ? 'none' : (model.flavors.get(existing.flavorId)?.name ?? 'none');
  const zone = existing.availabilityZone?.name ?? 'none';
  const wantedZone = wanted.spec.availabilityZone;
  const attributes = [
    ['network', existing.network.name, network.name],
    ['vips', existing.vips.join(', '), vips.length === 0 ? existing.vips.join(', ') : vips.join(', ')],
    ['placement', existing.placement, wanted.head.placement],
    ['availability_zone', zone, wantedZone ?? zone],
    ['flavor', flavor, wantedFlavor(model, wanted.spec.flavor) ?? flavor],
  ] as const;
  for (const [attribute, is, should] of attributes) {
    if (is !== should) {
      throw new ModelError(
        'conflict',
        `load balancer ${existing.name}: ${attribute} cannot change from ${is} to ${should}; delete it first`,
      );
    }
  }
}

/** The name of the flavor that was asked for, by id or name. */
function wantedFlavor(model: Model, idOrName: string | undefined): string | undefined {
  return idOrName === undefined ? undefined : requireFlavor(model, idOrName).name;
}

function applyChildren(changes: ChangeSet, existing: LoadBalancer, wanted: Children): readonly Operation[] {
  const matched = matchPools(existing, wanted);
  const poolIds = new Map(wanted.pools.map((pool) => [pool, matched.get(pool)?.id ?? randomUUID()]));
  const operations: Operation[] = [];
  const newPools: string[] = [];
  for (const draft of wanted.pools) {
    const pool = matched.get(draft);
    if (pool !== undefined) operations.push(...applyPool(changes, pool, draft));
    else newPools.push(insertPool(changes, draft, poolIds.get(draft)!));
  }
  const newListeners: string[] = [];
  for (const draft of wanted.listeners) {
    const listener = existing.listeners.find((one) => sameEndpoint(one, draft));
    if (listener === undefined) newListeners.push(insertListener(changes, draft, { id: randomUUID(), poolIds }));
    else operations.push(...applyListener(changes, listener, { draft, poolIds }));
  }
  const kept = new Set([...matched.values()].map((pool) => pool.id));
  const oldPools = existing.pools.filter((pool) => !kept.has(pool.id));
  const goneListeners = existing.listeners.filter(
    (listener) => !wanted.listeners.some((draft) => sameEndpoint(draft, listener)),
  );
  const oldListeners = goneListeners.map((listener) => listener.id);
  changes.count('listener', -oldListeners.length);
  for (const { l7Policies } of goneListeners) uncountL7Policies(changes, l7Policies);
  changes.count('pool', -oldPools.length);
  for (const { members, healthMonitor } of oldPools) {
    changes.count('member', -members.length);
    if (healthMonitor !== undefined) changes.count('health_monitor', -1);
  }
  if (newPools.length + newListeners.length + oldPools.length + oldListeners.length > 0) {
    operations.push(
      mutate(LoadBalancerTable, byUuid(existing.id), [
        ['pools', 'delete', oldPools.map((pool) => pool.id)],
        ['pools', 'insert', newPools],
        ['listeners', 'delete', oldListeners],
        ['listeners', 'insert', newListeners],
      ]),
    );
  }
  return operations;
}

/** Which existing pool each wanted pool is: the one of that name, else the one that its listener or L7 policy has now. */
function matchPools(existing: LoadBalancer, wanted: Children): ReadonlyMap<PoolDraft, Pool> {
  const matched = new Map<PoolDraft, Pool>();
  const claim = (draft: PoolDraft, pool: Pool | undefined) => {
    if (pool === undefined || matched.has(draft) || [...matched.values()].includes(pool)) return;
    if (pool.protocol === draft.protocol) matched.set(draft, pool);
  };
  for (const draft of wanted.pools) {
    if (draft.name === '') continue;
    // Names need not be unique.
    for (const pool of existing.pools) if (pool.name === draft.name) claim(draft, pool);
  }
  for (const listener of wanted.listeners) {
    const current = existing.listeners.find((one) => sameEndpoint(one, listener));
    if (listener.defaultPool?.kind === 'new') claim(listener.defaultPool.pool, current?.defaultPool);
    for (const { name, redirectPool } of listener.l7Policies) {
      if (redirectPool?.kind !== 'new') continue;
      for (const policy of current?.l7Policies ?? []) {
        if (policy.name === name) claim(redirectPool.pool, policy.redirectPool);
      }
    }
  }
  const inUse = new Set(existing.listeners.flatMap(poolReferencesOf<Pool | undefined>));
  for (const draft of wanted.pools.filter(({ name }) => name === '')) {
    for (const pool of existing.pools) if (pool.name === '' && !inUse.has(pool)) claim(draft, pool);
  }
  return matched;
}

function applyListener(
  changes: ChangeSet,
  listener: Listener,
  { draft, poolIds }: { readonly draft: ListenerDraft; readonly poolIds: PoolIds },
): readonly Operation[] {
  const poolId = poolIdOf(draft.defaultPool, poolIds);
  return [
    ...patchListener(listener, { attributes: draft, poolId }, changes.now),
    ...applyL7Policies(changes, listener, { wanted: draft.l7Policies, poolIds }),
  ];
}

function applyPool(changes: ChangeSet, pool: Pool, draft: PoolDraft): readonly Operation[] {
  const existing = new Map(pool.members.map((member) => [endpoint(member), member]));
  const wanted = new Set(draft.members.map(endpoint));
  const operations = [...patchPool(pool, draft, changes.now), ...applyHealthMonitor(changes, pool, draft)];
  const added: string[] = [];
  for (const member of draft.members) {
    const old = existing.get(endpoint(member));
    if (old === undefined) added.push(insertMember(changes, member, randomUUID()));
    else operations.push(...patchMember(old, member, changes.now));
  }
  const removed = pool.members.filter((member) => !wanted.has(endpoint(member))).map((member) => member.id);
  changes.count('member', -removed.length);
  if (added.length + removed.length > 0) {
    operations.push(
      mutate(PoolTable, byUuid(pool.id), [
        ['members', 'delete', removed],
        ['members', 'insert', added],
      ]),
    );
  }
  return operations;
}

/** A health monitor of another type is another one. */
function applyHealthMonitor(changes: ChangeSet, pool: Pool, draft: PoolDraft): readonly Operation[] {
  const { healthMonitor: wanted } = draft;
  const existing = pool.healthMonitor;
  if (wanted === undefined && existing === undefined) return [];
  if (wanted !== undefined && existing?.type === wanted.type) return patchHealthMonitor(existing, wanted, changes.now);
  if (existing !== undefined) changes.count('health_monitor', -1);
  const id = wanted && insertHealthMonitor(changes, wanted, randomUUID());
  return [update(PoolTable, byUuid(pool.id), { health_monitor: id })];
}
