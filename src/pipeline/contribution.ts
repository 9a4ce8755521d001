import type { Family } from '../model/addresses.ts';
import { TRANSPORTS, type Transport } from '../model/transport.ts';
import { type Flow, GROUP_TYPE, METER_FLAG } from '../openflow/index.ts';
import { type CookieKind, cookieOf } from './ids.ts';
import type { Group, Meter } from './items.ts';
import { instantiate, type Variables } from './templates.ts';

/** What one object puts into the switch. */
export interface Contribution {
  readonly flows: readonly Flow[];
  readonly groups: readonly Group[];
  readonly meters: readonly Meter[];
}

/** Address and port of members, from which replies come. */
export interface Service {
  readonly address: string;
  readonly port: number;
  readonly transport: Transport;
}

/** A unit of flows/ that an object uses, with its variables. */
export type Unit = readonly [unit: string, variables: Variables];

/** Name of a unit that there is for each family and transport. */
export function unitOf(name: string, family: Family, transport: Transport): string {
  return transport === TRANSPORTS[0] ? `${name}${family}` : `${name}${family}/${transport}`;
}

/** Fills in the templates; every flow gets the object's cookie. */
export function contribution(
  kind: CookieKind,
  key: number,
  units: readonly Unit[],
  groups: readonly Group[] = [],
  meters: readonly Meter[] = [],
): Contribution {
  const cookie = cookieOf(kind, key);
  return {
    flows: units.flatMap(([unit, variables]) => instantiate(unit, variables).map((flow) => ({ ...flow, cookie }))),
    groups,
    meters,
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

/** A meter that lets so many packets pass in a second. */
export function rateMeter(meterId: number, rate: number): Meter {
  // Open vSwitch says the burst of a meter that has none of its own as 0 or as the rate, depending on its version.
  return { meterId, flags: METER_FLAG.pktps | METER_FLAG.burst, bands: [{ kind: 'drop', rate, burstSize: rate }] };
}
