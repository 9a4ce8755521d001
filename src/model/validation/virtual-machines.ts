import { compareAddresses, type Family, familyOf } from '../addresses.ts';
import type { VirtualMachineDraft } from '../drafts.ts';
import { ModelError } from '../errors.ts';
import { requireHost, requireNetwork } from '../lookup.ts';
import type { VirtualMachineSpec } from '../specs.ts';
import type { Model, Network } from '../types.ts';
import { VIRTUAL_MACHINE_KINDS } from '../types.ts';
import { address, given, image, machineName, memoryMib, oneOf, text, transportPort, vcpus } from './fields.ts';
import { lowestFree, takenAddresses } from './free-address.ts';
import { blocksOf, label, requirePlace, vipsOf, virtualMachinesOf } from './site.ts';

/**
 * Checks a new virtual machine; picks an address per family of the network when none is given.
 * Throws ModelError('invalid' | 'not-found' | 'conflict').
 */
export function draftVirtualMachine(model: Model, spec: VirtualMachineSpec): VirtualMachineDraft {
  const name = machineName('name', spec.name);
  for (const other of model.virtualMachines.values()) {
    if (other.name === name) throw new ModelError('conflict', `A virtual machine of ${name} already exists.`);
  }
  const kind = oneOf('kind', spec.kind ?? 'namespace', VIRTUAL_MACHINE_KINDS);
  const owner = text('project_id', spec.owner);
  const network = requireNetwork(model, spec.network);
  return {
    name,
    hostId: requireHost(model, spec.host).id,
    kind,
    network,
    owner,
    addresses: spec.addresses?.length
      ? draftAddresses(model, network, { name, addresses: spec.addresses })
      : pickAddresses(model, network),
    servePort: given(spec.servePort, undefined, (value) => transportPort('serve_port', value)),
    vcpus: given(spec.vcpus, undefined, (value) => vcpus(value, { whole: kind === 'vm' })),
    memoryMib: given(spec.memoryMib, undefined, memoryMib),
    image: given(spec.image, undefined, (value) => image(value, kind)),
  };
}

function draftAddresses(
  model: Model,
  network: Network,
  wanted: { readonly name: string; readonly addresses: readonly string[] },
): readonly string[] {
  const addresses = wanted.addresses.map((one) => address('addresses', one)).sort(compareAddresses);
  if (new Set(addresses.map(familyOf)).size < addresses.length) {
    throw new ModelError(
      'invalid',
      `addresses ${addresses.join(', ')}: a virtual machine has at most one address per address family`,
    );
  }
  const blocks = blocksOf(network);
  const vips = vipsOf(model, network.id);
  for (const one of addresses) {
    const what = `address ${one} of virtual machine ${wanted.name}`;
    requirePlace(blocks, one, what);
    const holder = vips.get(one);
    if (holder !== undefined) throw new ModelError('conflict', `${what} is the VIP of load balancer ${label(holder)}`);
    for (const other of virtualMachinesOf(model, network.id)) {
      if (other.addresses.includes(one)) {
        throw new ModelError('conflict', `${what} is already that of virtual machine ${other.name}`);
      }
    }
  }
  return addresses;
}

function pickAddresses(model: Model, network: Network): readonly string[] {
  const { subnets, ranges } = blocksOf(network);
  const taken = takenAddresses(model, network);
  const families = ([4, 6] as const).filter((family) => subnets.some((subnet) => subnet.family === family));
  return families.map((family: Family) => {
    const free = lowestFree(
      subnets.filter((subnet) => subnet.family === family),
      { taken, ranges },
    );
    if (free !== undefined) return free;
    throw new ModelError('conflict', `Network ${network.name} has no free IPv${family} address for a virtual machine`);
  });
}
