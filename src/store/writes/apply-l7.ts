/** Making a listener's L7 policies be as specified. */
import { randomUUID } from 'node:crypto';
import type { L7PolicyDraft, L7RuleDraft } from '../../model/drafts.ts';
import type { L7Policy, L7Rule } from '../../model/l7.ts';
import type { Listener } from '../../model/types.ts';
import { byUuid, mutate, type Operation } from '../../ovsdb/index.ts';
import type { ChangeSet } from '../change-set.ts';
import { L7PolicyTable } from '../rows.ts';
import { insertL7Policy, insertL7Rule, type PoolIds, poolIdOf } from './inserts.ts';
import { orderL7Policies, patchL7Policy, patchL7Rule } from './patches.ts';

/** A policy is the one of its name; without a name, the next one without. */
export function applyL7Policies(
  changes: ChangeSet,
  listener: Listener,
  { wanted, poolIds }: { readonly wanted: readonly L7PolicyDraft[]; readonly poolIds: PoolIds },
): readonly Operation[] {
  const left = [...listener.l7Policies];
  const operations: Operation[] = [];
  const order = wanted.map((draft) => {
    const policy = takeOut(left, ({ name }) => name === draft.name);
    if (policy === undefined) return insertL7Policy(changes, draft, { id: randomUUID(), poolIds });
    operations.push(...applyL7Policy(changes, policy, { draft, poolIds }));
    return policy.id;
  });
  uncountL7Policies(changes, left);
  return [...operations, ...orderL7Policies(listener, order)];
}

/** Notes that these go, with their rules. */
export function uncountL7Policies(changes: ChangeSet, policies: readonly L7Policy[]): void {
  changes.count('l7policy', -policies.length);
  for (const { rules } of policies) changes.count('l7rule', -rules.length);
}

function applyL7Policy(
  changes: ChangeSet,
  policy: L7Policy,
  { draft, poolIds }: { readonly draft: L7PolicyDraft; readonly poolIds: PoolIds },
): readonly Operation[] {
  const poolId = poolIdOf(draft.redirectPool, poolIds);
  const operations = [...patchL7Policy(policy, { attributes: draft, poolId }, changes.now)];
  const left = [...policy.rules];
  const added: string[] = [];
  for (const rule of draft.rules) {
    const same = takeOut(left, (one) => testOf(one) === testOf(rule));
    if (same === undefined) added.push(insertL7Rule(changes, rule, randomUUID()));
    else operations.push(...patchL7Rule(same, rule, changes.now));
  }
  changes.count('l7rule', -left.length);
  if (added.length + left.length > 0) {
    operations.push(
      mutate(L7PolicyTable, byUuid(policy.id), [
        ['rules', 'delete', left.map(({ id }) => id)],
        ['rules', 'insert', added],
      ]),
    );
  }
  return operations;
}

/** What a rule asks for, which is all that tells one rule from another. */
function testOf({ type, compareType, field, value, invert }: L7RuleDraft | L7Rule): string {
  return JSON.stringify([type, compareType, field, value, invert]);
}

/** Removes the first that fits from the list. */
function takeOut<T>(list: T[], fits: (item: T) => boolean): T | undefined {
  const index = list.findIndex(fits);
  return index === -1 ? undefined : list.splice(index, 1)[0];
}
