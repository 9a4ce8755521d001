/** The virtual machines of a host: what their sandboxes must be. Pure. */
import { cidrContains, familyOf, parseCidr } from '../model/addresses.ts';
import { findHost } from '../model/lookup.ts';
import { type StaticNeighbour, staticNeighbours } from '../model/neighbours.ts';
import type { Model, VirtualMachine } from '../model/types.ts';
import type { ProxySurroundings } from './haproxy-config.ts';
import type { SandboxNames } from './names.ts';
import type { SandboxPlan } from './plan.ts';
import { renderServer } from './virtual-machine-config.ts';

export function wantedMachines(model: Model, hostName: string): VirtualMachine[] {
  const host = findHost(model, hostName);
  return [...model.virtualMachines.values()].filter(({ hostId }) => hostId === host?.id);
}

/** What a plan depends on. */
export interface MachineInput {
  readonly machine: VirtualMachine;
  readonly hostName: string;
  readonly neighbours: readonly Pick<StaticNeighbour, 'address' | 'mac'>[];
  /** The same for inputs of the same plan. */
  readonly identity: string;
}

export function machineInput(model: Model, machine: VirtualMachine, hostName: string): MachineInput {
  const { network, owner } = machine;
  const neighbours = staticNeighbours(model, { host: hostName, networkId: network.id, owner }).map(
    ({ address, mac }) => ({
      address,
      mac,
    }),
  );
  // Its row changes with each report of ours, too.
  const { state: _state, error: _error, since: _since, ...lasting } = machine;
  return { machine, hostName, neighbours, identity: JSON.stringify([lasting, neighbours]) };
}

export function planMachine(
  { machine, hostName, neighbours }: MachineInput,
  {
    names,
    surroundings,
  }: {
    readonly names: SandboxNames;
    readonly surroundings: Pick<ProxySurroundings, 'statsSocket' | 'chroot' | 'maxFiles'>;
  },
): SandboxPlan {
  const { id, name, mac, owner, network, addresses, servePort, vcpus, memoryMib, image } = machine;
  const ids = { 'iface-id': id, 'attached-mac': mac, 'vm-id': id, 'hostlb-vm': name, 'hostlb-host': hostName };
  return {
    names,
    externalIds: owner === '' ? ids : { ...ids, 'hostlb-owner': owner },
    mac,
    vlan: network.vlan,
    addresses: addresses.map((address) => {
      const subnet = network.subnets.find((candidate) => cidrContains(candidate, address))!;
      return { family: familyOf(address), address, prefixLength: parseCidr(subnet).prefixLength };
    }),
    routes: network.subnets.flatMap((subnet) => {
      const source = addresses.find((address) => familyOf(address) === familyOf(subnet));
      return source === undefined || cidrContains(subnet, source) ? [] : [{ subnet, source }];
    }),
    neighbours,
    reservedPorts: [],
    flavor: { vcpus, memoryMib, image, kernel: undefined },
    config: servePort === undefined ? undefined : renderServer(machine, servePort, surroundings),
    generation: 0,
  };
}
