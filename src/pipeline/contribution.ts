import { type Flow, GROUP_TYPE } from '../openflow/index.ts';
import { type CookieKind, cookieOf } from './ids.ts';
import type { Group } from './items.ts';
import { instantiate, type Variables } from './templates.ts';

/** What one object puts into the switch. */
export interface Contribution {
  readonly flows: readonly Flow[];
  readonly groups: readonly Group[];
}

/** A unit of flows/ that an object uses, with its variables. */
export type Unit = readonly [unit: string, variables: Variables];

/** Fills in the templates; every flow gets the object's cookie. */
export function contribution(
  kind: CookieKind,
  key: number,
  units: readonly Unit[],
  groups: readonly Group[] = [],
): Contribution {
  const cookie = cookieOf(kind, key);
  return {
    flows: units.flatMap(([unit, variables]) => instantiate(unit, variables).map((flow) => ({ ...flow, cookie }))),
    groups,
  };
}

/** A group that copies a frame to every port. */
export function floodGroup(groupId: number, ports: readonly number[]): Group {
  return {
    type: GROUP_TYPE.all,
    groupId,
    buckets: ports.map((port, bucketId) => ({
      bucketId,
      actions: [{ kind: 'output', port, maxLen: 0 }],
    })),
  };
}
