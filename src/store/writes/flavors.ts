import { randomUUID } from 'node:crypto';
import { requireFlavor, requireFlavorProfile } from '../../model/lookup.ts';
import type { FlavorPatch, FlavorProfilePatch, FlavorProfileSpec, FlavorSpec } from '../../model/specs.ts';
import {
  draftFlavor,
  draftFlavorProfile,
  patchedFlavor,
  patchedFlavorProfile,
  requireUnusedFlavor,
  requireUnusedProfile,
} from '../../model/validate.ts';
import { byUuid, insert, remove } from '../../ovsdb/index.ts';
import { flavorColumns, flavorProfileColumns } from '../columns.ts';
import { FlavorProfileTable, FlavorTable } from '../rows.ts';
import type { Write } from '../writer.ts';
import { patchFlavor, patchFlavorProfile } from './patches.ts';

export function createFlavorProfile(spec: FlavorProfileSpec): Write {
  const id = randomUUID();
  return {
    plan: (changes) => {
      const row = flavorProfileColumns(draftFlavorProfile(changes.model, spec));
      changes.add(insert(FlavorProfileTable, row, { uuid: id }));
      return id;
    },
    landed: (model) => model.flavorProfiles.has(id),
  };
}

export function updateFlavorProfile(idOrName: string, patch: FlavorProfilePatch): Write {
  return {
    plan: (changes) => {
      const profile = requireFlavorProfile(changes.model, idOrName);
      changes.add(...patchFlavorProfile(profile, patchedFlavorProfile(changes.model, profile, patch)));
      return profile.id;
    },
  };
}

export function deleteFlavorProfile(idOrName: string): Write {
  let id = idOrName;
  return {
    plan: (changes) => {
      const profile = requireFlavorProfile(changes.model, idOrName);
      id = profile.id;
      requireUnusedProfile(changes.model, profile);
      changes.add(remove(FlavorProfileTable, byUuid(id)));
      return id;
    },
    landed: (model) => !model.flavorProfiles.has(id),
  };
}

export function createFlavor(spec: FlavorSpec): Write {
  const id = randomUUID();
  return {
    plan: (changes) => {
      changes.add(insert(FlavorTable, flavorColumns(draftFlavor(changes.model, spec)), { uuid: id }));
      return id;
    },
    landed: (model) => model.flavors.has(id),
  };
}

export function updateFlavor(idOrName: string, patch: FlavorPatch): Write {
  return {
    plan: (changes) => {
      const flavor = requireFlavor(changes.model, idOrName);
      changes.add(...patchFlavor(flavor, patchedFlavor(changes.model, flavor, patch)));
      return flavor.id;
    },
  };
}

export function deleteFlavor(idOrName: string): Write {
  let id = idOrName;
  return {
    plan: (changes) => {
      const flavor = requireFlavor(changes.model, idOrName);
      id = flavor.id;
      requireUnusedFlavor(changes.model, flavor);
      changes.add(remove(FlavorTable, byUuid(id)));
      return id;
    },
    landed: (model) => !model.flavors.has(id),
  };
}
