import { randomUUID } from 'node:crypto';
import { requireVirtualMachine } from '../../model/lookup.ts';
import type { VirtualMachineSpec } from '../../model/specs.ts';
import { draftVirtualMachine } from '../../model/validate.ts';
import { byUuid, insert, remove } from '../../ovsdb/index.ts';
import { VirtualMachineTable } from '../rows.ts';
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
      changes.ownedBy(draft.owner);
      changes.count('virtual_machine');
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
