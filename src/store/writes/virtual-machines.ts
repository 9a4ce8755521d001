import { randomUUID } from 'node:crypto';
import { requireVirtualMachine } from '../../model/lookup.ts';
import type { VirtualMachineSpec } from '../../model/specs.ts';
import { draftQuota, draftVirtualMachine } from '../../model/validate.ts';
import { byUuid, insert, remove, update } from '../../ovsdb/index.ts';
import { OwnerTable, type Rows, VirtualMachineTable } from '../rows.ts';
import type { Write } from '../writer.ts';

/** It begins as `pending`: the agent of its host makes it. */
export function createVirtualMachine(spec: VirtualMachineSpec): Write {
  const id = randomUUID();
  return {
    plan: (changes) => {
      const draft = draftVirtualMachine(changes.model, spec);
      const row = {
        key: changes.takeKey(),
        name: draft.name,
        host: draft.hostId,
        kind: draft.kind,
        network: draft.network.id,
        owner: draft.owner,
        addresses: draft.addresses,
        serve_port: draft.servePort,
        vcpus: draft.vcpus,
        memory_mib: draft.memoryMib,
        image: draft.image,
        state: 'pending',
        since: changes.now,
      };
      changes.add(insert(VirtualMachineTable, row, { uuid: id }));
      return id;
    },
    landed: (model) => model.virtualMachines.has(id),
  };
}

export function deleteVirtualMachine(idOrName: string): Write {
  let id = idOrName;
  return {
    plan: (changes) => {
      id = requireVirtualMachine(changes.model, idOrName).id;
      changes.add(remove(VirtualMachineTable, byUuid(id)));
      return id;
    },
    landed: (model) => !model.virtualMachines.has(id),
  };
}

/** Sets how many virtual machines an owner may have; undefined = the default. Those that exist stay. */
export function setVirtualMachineQuota(owner: string, quota: number | undefined, rows: Rows): Write {
  const newId = randomUUID();
  return {
    plan: (changes) => {
      const draft = draftQuota(owner, quota);
      const existing = [...rows.owners.values()].find(({ name }) => name === draft.owner);
      const row = { virtual_machine_quota: draft.quota };
      if (existing === undefined) {
        if (draft.quota === undefined) return newId;
        changes.add(insert(OwnerTable, { key: changes.takeKey(), name: draft.owner, ...row }, { uuid: newId }));
        return newId;
      }
      if (existing.virtual_machine_quota !== draft.quota) changes.add(update(OwnerTable, byUuid(existing._uuid), row));
      return existing._uuid;
    },
  };
}
