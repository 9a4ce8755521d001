/** Changes of attributes as update operations. Each answers nothing to do when the object already is so. */
import type {
  FlavorDraft,
  FlavorProfileDraft,
  HealthMonitorDraft,
  L7PolicyAttributes,
  L7RuleDraft,
  ListenerAttributes,
  LoadBalancerAttributes,
  MemberDraft,
  PoolAttributes,
} from '../../model/drafts.ts';
import type { L7Policy, L7Rule } from '../../model/l7.ts';
import type { Flavor, FlavorProfile, HealthMonitor, Listener, LoadBalancer, Member, Pool } from '../../model/types.ts';
import { byUuid, type Operation, update } from '../../ovsdb/index.ts';
import {
  changedColumns,
  flavorColumns,
  flavorProfileColumns,
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
  FlavorProfileTable,
  FlavorTable,
  HealthMonitorTable,
  L7PolicyTable,
  L7RuleTable,
  ListenerTable,
  LoadBalancerTable,
  MemberTable,
  PoolTable,
} from '../rows.ts';

export function patchLoadBalancer(old: LoadBalancer, next: LoadBalancerAttributes): readonly Operation[] {
  const row = changedColumns(loadBalancerColumns(old), loadBalancerColumns(next));
  return row === undefined ? [] : [update(LoadBalancerTable, byUuid(old.id), row)];
}

/** `now` becomes the time of the listener's last change, as in all below. */
export function patchListener(
  old: Listener,
  next: { readonly attributes: ListenerAttributes; readonly poolId: string | undefined },
  now: string,
): readonly Operation[] {
  const row = changedColumns(
    { ...listenerColumns(old), default_pool: old.defaultPool?.id },
    { ...listenerColumns(next.attributes), default_pool: next.poolId },
  );
  return row === undefined ? [] : [update(ListenerTable, byUuid(old.id), { ...row, updated_at: now })];
}

/** Puts a listener's L7 policies in this order; those that are not in it go. */
export function orderL7Policies({ id, l7Policies }: Listener, ids: readonly string[]): readonly Operation[] {
  const isSame = ids.length === l7Policies.length && l7Policies.every((policy, i) => policy.id === ids[i]);
  return isSame ? [] : [update(ListenerTable, byUuid(id), { l7_policies: positions(ids) })];
}

export function patchL7Policy(
  old: L7Policy,
  next: { readonly attributes: L7PolicyAttributes; readonly poolId: string | undefined },
  now: string,
): readonly Operation[] {
  const row = changedColumns(
    { ...l7PolicyColumns(old), redirect_pool: old.redirectPool?.id },
    { ...l7PolicyColumns(next.attributes), redirect_pool: next.poolId },
  );
  return row === undefined ? [] : [update(L7PolicyTable, byUuid(old.id), { ...row, updated_at: now })];
}

export function patchL7Rule(old: L7Rule, next: L7RuleDraft, now: string): readonly Operation[] {
  const row = changedColumns(l7RuleColumns(old), l7RuleColumns(next));
  return row === undefined ? [] : [update(L7RuleTable, byUuid(old.id), { ...row, updated_at: now })];
}

export function patchPool(old: Pool, next: PoolAttributes, now: string): readonly Operation[] {
  const row = changedColumns(poolColumns(old), poolColumns(next));
  return row === undefined ? [] : [update(PoolTable, byUuid(old.id), { ...row, updated_at: now })];
}

export function patchMember(old: Member, next: MemberDraft, now: string): readonly Operation[] {
  const row = changedColumns(memberColumns(old), memberColumns(next));
  return row === undefined ? [] : [update(MemberTable, byUuid(old.id), { ...row, updated_at: now })];
}

export function patchHealthMonitor(old: HealthMonitor, next: HealthMonitorDraft, now: string): readonly Operation[] {
  const row = changedColumns(healthMonitorColumns(old), healthMonitorColumns(next));
  return row === undefined ? [] : [update(HealthMonitorTable, byUuid(old.id), { ...row, updated_at: now })];
}

export function patchFlavorProfile(old: FlavorProfile, next: FlavorProfileDraft): readonly Operation[] {
  const row = changedColumns(flavorProfileColumns(old), flavorProfileColumns(next));
  return row === undefined ? [] : [update(FlavorProfileTable, byUuid(old.id), row)];
}

export function patchFlavor(old: Flavor, next: FlavorDraft): readonly Operation[] {
  const row = changedColumns(flavorColumns(old), flavorColumns(next));
  return row === undefined ? [] : [update(FlavorTable, byUuid(old.id), row)];
}
