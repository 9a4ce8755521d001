/** Drafts to rows: what a transaction inserts for new objects. The caller references them from their parent. */
import { randomUUID } from 'node:crypto';
import type {
  HealthMonitorDraft,
  L7PolicyDraft,
  L7RuleDraft,
  ListenerDraft,
  LoadBalancerDraft,
  MemberDraft,
  PoolDraft,
  PoolReference,
} from '../../model/drafts.ts';
import { insert } from '../../ovsdb/index.ts';
import type { ChangeSet } from '../change-set.ts';
import {
  healthMonitorColumns,
  l7PolicyColumns,
  l7RuleColumns,
  listenerColumns,
  loadBalancerColumns,
  memberColumns,
  poolColumns,
  positions,
} from '../columns.ts';
import {
  HealthMonitorTable,
  L7PolicyTable,
  L7RuleTable,
  ListenerTable,
  LoadBalancerTable,
  MemberTable,
  OwnerTable,
  PoolTable,
  VipTable,
} from '../rows.ts';

/** Inserts a load balancer with everything below it, and its owner if that is new. */
export function insertLoadBalancer(changes: ChangeSet, draft: LoadBalancerDraft, id: string): void {
  insertOwner(changes, draft.owner);
  changes.ownedBy(draft.owner);
  changes.count('load_balancer');
  const key = changes.takeKey();
  const poolIds = insertPools(changes, draft.pools);
  const listeners = draft.listeners.map((listener) => insertListener(changes, listener, { id: randomUUID(), poolIds }));
  const vips = draft.vips.map((address) => {
    const vipId = randomUUID();
    changes.add(insert(VipTable, { network: draft.network.id, address }, { uuid: vipId }));
    return vipId;
  });
  const row = {
    ...loadBalancerColumns(draft),
    key,
    owner: draft.owner,
    network: draft.network.id,
    vips,
    vip_subnet_id: draft.vipSubnetId,
    placement: draft.placement,
    flavor: draft.flavorId,
    availability_zone: draft.availabilityZone?.id,
    listeners,
    pools: [...poolIds.values()],
    generation: changes.generation,
    created_at: changes.now,
  };
  changes.add(insert(LoadBalancerTable, row, { uuid: id }));
}

/** Ids of the new pools that a draft refers to. */
export type PoolIds = ReadonlyMap<PoolDraft, string>;

/** The id of the pool that is meant. */
export function poolIdOf(reference: PoolReference | undefined, ids: PoolIds): string | undefined {
  return reference?.kind === 'new' ? ids.get(reference.pool) : reference?.pool.id;
}

/** The new pools among what something refers to, each once. */
export function newPoolsIn(references: readonly (PoolReference | undefined)[]): readonly PoolDraft[] {
  return [...new Set(references.flatMap((reference) => (reference?.kind === 'new' ? [reference.pool] : [])))];
}

/** All pools that a listener, or a draft of one, and its L7 policies refer to. */
export function poolReferencesOf<P>({
  defaultPool,
  l7Policies,
}: {
  readonly defaultPool: P;
  readonly l7Policies: readonly { readonly redirectPool: P }[];
}): readonly P[] {
  return [defaultPool, ...l7Policies.map(({ redirectPool }) => redirectPool)];
}

/** Inserts a listener with its L7 policies. Answers the listener's id. */
export function insertListener(
  changes: ChangeSet,
  draft: ListenerDraft,
  { id, poolIds }: { readonly id: string; readonly poolIds: PoolIds },
): string {
  const policies = draft.l7Policies.map((policy) => insertL7Policy(changes, policy, { id: randomUUID(), poolIds }));
  const row = {
    ...listenerColumns(draft),
    key: changes.takeKey(),
    default_pool: poolIdOf(draft.defaultPool, poolIds),
    l7_policies: positions(policies),
    created_at: changes.now,
  };
  changes.count('listener');
  changes.add(insert(ListenerTable, row, { uuid: id }));
  return id;
}

/** Inserts an L7 policy with its rules. Answers the policy's id. */
export function insertL7Policy(
  changes: ChangeSet,
  draft: L7PolicyDraft,
  { id, poolIds }: { readonly id: string; readonly poolIds: PoolIds },
): string {
  const row = {
    ...l7PolicyColumns(draft),
    key: changes.takeKey(),
    redirect_pool: poolIdOf(draft.redirectPool, poolIds),
    rules: draft.rules.map((rule) => insertL7Rule(changes, rule, randomUUID())),
    created_at: changes.now,
  };
  changes.count('l7policy');
  changes.add(insert(L7PolicyTable, row, { uuid: id }));
  return id;
}

/** Inserts an L7 rule. Answers its id. */
export function insertL7Rule(changes: ChangeSet, draft: L7RuleDraft, id: string): string {
  const row = { ...l7RuleColumns(draft), key: changes.takeKey(), created_at: changes.now };
  changes.count('l7rule');
  changes.add(insert(L7RuleTable, row, { uuid: id }));
  return id;
}

/** Inserts new pools. Answers their ids. */
export function insertPools(changes: ChangeSet, pools: readonly PoolDraft[]): PoolIds {
  return new Map(pools.map((pool) => [pool, insertPool(changes, pool, randomUUID())]));
}

/** Inserts a pool with its members and health monitor. Answers the pool's id. */
export function insertPool(changes: ChangeSet, draft: PoolDraft, id: string): string {
  const row = {
    ...poolColumns(draft),
    key: changes.takeKey(),
    members: draft.members.map((member) => insertMember(changes, member, randomUUID())),
    health_monitor: draft.healthMonitor && insertHealthMonitor(changes, draft.healthMonitor, randomUUID()),
    created_at: changes.now,
  };
  changes.count('pool');
  changes.add(insert(PoolTable, row, { uuid: id }));
  return id;
}

/** Inserts a member. Answers its id. */
export function insertMember(changes: ChangeSet, draft: MemberDraft, id: string): string {
  const row = { ...memberColumns(draft), key: changes.takeKey(), created_at: changes.now };
  changes.count('member');
  changes.add(insert(MemberTable, row, { uuid: id }));
  return id;
}

/** Inserts a health monitor. Answers its id. */
export function insertHealthMonitor(changes: ChangeSet, draft: HealthMonitorDraft, id: string): string {
  const row = { ...healthMonitorColumns(draft), key: changes.takeKey(), created_at: changes.now };
  changes.count('health_monitor');
  changes.add(insert(HealthMonitorTable, row, { uuid: id }));
  return id;
}

function insertOwner(changes: ChangeSet, name: string): void {
  if (name === '' || changes.model.ownerKeys.has(name)) return;
  changes.add(insert(OwnerTable, { key: changes.takeKey(), name }));
}
