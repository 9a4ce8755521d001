import { randomUUID } from 'node:crypto';
import { requireAvailabilityZone, requireAvailabilityZoneProfile } from '../../model/lookup.ts';
import type {
  AvailabilityZonePatch,
  AvailabilityZoneProfilePatch,
  AvailabilityZoneProfileSpec,
  AvailabilityZoneSpec,
} from '../../model/specs.ts';
import {
  draftAvailabilityZone,
  draftAvailabilityZoneProfile,
  patchedAvailabilityZone,
  patchedAvailabilityZoneProfile,
  requireUnusedZone,
  requireUnusedZoneProfile,
} from '../../model/validate.ts';
import { byUuid, insert, remove, update } from '../../ovsdb/index.ts';
import { availabilityZoneColumns, availabilityZoneProfileColumns, changedColumns } from '../columns.ts';
import { AvailabilityZoneProfileTable, AvailabilityZoneTable } from '../rows.ts';
import type { Write } from '../writer.ts';

export function createAvailabilityZoneProfile(spec: AvailabilityZoneProfileSpec): Write {
  const id = randomUUID();
  return {
    plan: (changes) => {
      const row = availabilityZoneProfileColumns(draftAvailabilityZoneProfile(changes.model, spec));
      changes.add(insert(AvailabilityZoneProfileTable, row, { uuid: id }));
      return id;
    },
    landed: (model) => model.availabilityZoneProfiles.has(id),
  };
}

/** The load balancers of its zones change with its hosts. */
export function updateAvailabilityZoneProfile(idOrName: string, patch: AvailabilityZoneProfilePatch): Write {
  return {
    plan: (changes) => {
      const { model } = changes;
      const old = requireAvailabilityZoneProfile(model, idOrName);
      const next = patchedAvailabilityZoneProfile(model, old, patch);
      const row = changedColumns(availabilityZoneProfileColumns(old), availabilityZoneProfileColumns(next));
      if (row === undefined) return old.id;
      changes.add(update(AvailabilityZoneProfileTable, byUuid(old.id), row));
      for (const { id, availabilityZone } of model.loadBalancers.values()) {
        if (availabilityZone?.profile.id === old.id) changes.touch(id);
      }
      return old.id;
    },
  };
}

export function deleteAvailabilityZoneProfile(idOrName: string): Write {
  let id = idOrName;
  return {
    plan: (changes) => {
      const profile = requireAvailabilityZoneProfile(changes.model, idOrName);
      id = profile.id;
      requireUnusedZoneProfile(changes.model, profile);
      changes.add(remove(AvailabilityZoneProfileTable, byUuid(id)));
      return id;
    },
    landed: (model) => !model.availabilityZoneProfiles.has(id),
  };
}

export function createAvailabilityZone(spec: AvailabilityZoneSpec): Write {
  const id = randomUUID();
  return {
    plan: (changes) => {
      const row = availabilityZoneColumns(draftAvailabilityZone(changes.model, spec));
      changes.add(insert(AvailabilityZoneTable, row, { uuid: id }));
      return id;
    },
    landed: (model) => model.availabilityZones.has(id),
  };
}

export function updateAvailabilityZone(idOrName: string, patch: AvailabilityZonePatch): Write {
  return {
    plan: (changes) => {
      const old = requireAvailabilityZone(changes.model, idOrName);
      const next = patchedAvailabilityZone(old, patch);
      const row = changedColumns(availabilityZoneColumns(old), availabilityZoneColumns(next));
      if (row !== undefined) changes.add(update(AvailabilityZoneTable, byUuid(old.id), row));
      return old.id;
    },
  };
}

export function deleteAvailabilityZone(idOrName: string): Write {
  let id = idOrName;
  return {
    plan: (changes) => {
      const zone = requireAvailabilityZone(changes.model, idOrName);
      id = zone.id;
      requireUnusedZone(changes.model, zone);
      changes.add(remove(AvailabilityZoneTable, byUuid(id)));
      return id;
    },
    landed: (model) => !model.availabilityZones.has(id),
  };
}
