import type { Operation } from '../../ovsdb/index.ts';
import type { ChangeSet } from '../change-set.ts';

/** Adds the operations, if any, and notes that the load balancer changes with them. Answers the object's id. */
export function change(
  changes: ChangeSet,
  ids: { readonly loadBalancerId: string; readonly id: string },
  operations: readonly Operation[],
): string {
  if (operations.length > 0) {
    changes.add(...operations);
    changes.touch(ids.loadBalancerId);
  }
  return ids.id;
}
