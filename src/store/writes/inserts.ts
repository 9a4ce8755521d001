/** Drafts to rows: what a transaction inserts for new objects. The caller references them from their parent. */
import { randomUUID } from 'node:crypto';
import type {
  HealthMonitorDraft,
  ListenerDraft,
  LoadBalancerDraft,
  MemberDraft,
  PoolDraft,
} from '../../model/drafts.ts';
import { insert } from '../../ovsdb/index.ts';
import type { ChangeSet } from '../change-set.ts';
import { healthMonitorColumns, listenerColumns, loadBalancerColumns, memberColumns, poolColumns } from '../columns.ts';
import {
  HealthMonitorTable,
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
  const poolIds = new Map(draft.pools.map((pool) => [pool, insertPool(changes, pool, randomUUID())]));
  const listeners = draft.listeners.map((listener) => {
    const poolId = listener.defaultPool?.kind === 'new' ? poolIds.get(listener.defaultPool.pool) : undefined;
    return insertListener(changes, listener, { id: randomUUID(), poolId });
  });
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
    listeners,
    pools: [...poolIds.values()],
    generation: changes.generation,
    created_at: changes.now,
  };
  changes.add(insert(LoadBalancerTable, row, { uuid: id }));
}

/** Inserts a listener whose default pool has the given id. Answers the listener's id. */
export function insertListener(
  changes: ChangeSet,
  draft: ListenerDraft,
  ids: { readonly id: string; readonly poolId: string | undefined },
): string {
  const row = {
    ...listenerColumns(draft),
    key: changes.takeKey(),
    default_pool: ids.poolId,
    created_at: changes.now,
  };
  changes.count('listener');
  changes.add(insert(ListenerTable, row, { uuid: ids.id }));
  return ids.id;
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
