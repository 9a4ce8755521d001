/** How much each owner may have. */
import { QUOTA_DEFAULTS } from '../defaults.ts';
import { ModelError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { type Model, QUOTA_KINDS, type Quota, type QuotaKind } from '../types.ts';
import { integer, requiredText } from './fields.ts';

/** A number of each kind. */
export type Counts = Readonly<Record<QuotaKind, number>>;

/** As it reads in errors: in Octavia's words. */
const NAMES: Readonly<Record<QuotaKind, string>> = {
  load_balancer: 'Load Balancer',
  listener: 'Listener',
  pool: 'Pool',
  member: 'Member',
  health_monitor: 'Health Monitor',
  l7policy: 'L7 Policy',
  l7rule: 'L7 Rule',
  virtual_machine: 'Virtual Machine',
};

/** How many of each kind the owner may have; -1 = any number. */
export function quotaOf(model: Pick<Model, 'quotas'>, owner: string): Counts {
  return { ...QUOTA_DEFAULTS, ...model.quotas.get(owner) };
}

/** How many of each kind the owner has. */
export function usedBy({ loadBalancers, virtualMachines }: Model, owner: string): Counts {
  const used = Object.fromEntries(QUOTA_KINDS.map((kind) => [kind, 0])) as Record<QuotaKind, number>;
  for (const loadBalancer of loadBalancers.values()) {
    if (loadBalancer.owner !== owner) continue;
    const { listeners, pools } = loadBalancer;
    used.load_balancer++;
    used.listener += listeners.length;
    used.pool += pools.length;
    const policies = listeners.flatMap(({ l7Policies }) => l7Policies);
    used.l7policy += policies.length;
    for (const { rules } of policies) used.l7rule += rules.length;
    for (const { members, healthMonitor } of pools) {
      used.member += members.length;
      if (healthMonitor !== undefined) used.health_monitor++;
    }
  }
  for (const machine of virtualMachines.values()) if (machine.owner === owner) used.virtual_machine++;
  return used;
}

/** Throws ModelError('over-quota') when the owner may not have so many more. Those that it has stay in any case. */
export function requireQuota(model: Model, owner: string, more: Partial<Counts>): void {
  const quota = quotaOf(model, owner);
  const asked = QUOTA_KINDS.filter((kind) => quota[kind] >= 0 && (more[kind] ?? 0) > 0);
  // counting takes time, and most owners may have any number
  if (asked.length === 0) return;
  const used = usedBy(model, owner);
  const met = asked.filter((kind) => used[kind] + more[kind]! > quota[kind]);
  if (met.length === 0) return;
  throw new ModelError('over-quota', `Quota has been met for resources: ${met.map((kind) => NAMES[kind]).join(', ')}`);
}

export interface QuotaDraft {
  readonly owner: string;
  readonly quota: Quota;
}

/** Checks what an owner shall be allowed; undefined = the default. Throws ModelError('invalid'). */
export function draftQuota(
  owner: string,
  wanted: Readonly<Partial<Record<QuotaKind, number | undefined>>>,
): QuotaDraft {
  const bounds = { min: -1, max: LIMITS.maxQuota };
  const given = Object.entries(wanted).filter((entry): entry is [string, number] => entry[1] !== undefined);
  const checked = given.map(([kind, count]) => [kind, integer(kind, count, bounds)]);
  return { owner: requiredText('project_id', owner), quota: Object.fromEntries(checked) };
}
