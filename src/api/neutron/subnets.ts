/** Subnets have no rows of their own: what stands for one is made from its network and prefix. */
import { cidrContains } from '../../model/addresses.ts';
import type { Model, Network } from '../../model/types.ts';
import { derivedId } from '../octavia/common.ts';

export interface Subnet {
  readonly id: string;
  readonly network: Network;
  readonly cidr: string;
}

/** The id that stands for a subnet of a network, the same for ever. */
export function subnetId(networkId: string, cidr: string): string {
  return derivedId(`subnet:${networkId}:${cidr}`);
}

/** The id of the network's subnet that has the address. */
export function subnetIdOf(network: Network, address: string): string {
  return subnetId(network.id, network.subnets.find((cidr) => cidrContains(cidr, address)) ?? '');
}

/** Every subnet of every network. */
export function* subnetsIn(model: Model): Generator<Subnet, void> {
  for (const network of model.networks.values()) {
    for (const cidr of network.subnets) yield { id: subnetId(network.id, cidr), network, cidr };
  }
}

export function findSubnet(model: Model, id: string): Subnet | undefined {
  for (const subnet of subnetsIn(model)) if (subnet.id === id) return subnet;
  return undefined;
}
