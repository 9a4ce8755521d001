import { familyOf } from './addresses.ts';
import type { Model, Network } from './types.ts';
import { balancerMac, ipv6FromMac } from './vip-mac.ts';

/**
 * A host's own addresses in a network, with which its balancers outside the switch speak to members: those that it was
 * given, and in a /64 an IPv6 address that follows from the host's MAC and needs no giving. None while the host waits to
 * be given one: then its balancers there cannot run.
 */
export function ownAddresses(model: Model, hostId: string, network: Network): readonly string[] {
  const given = model.addresses
    .filter((row) => row.hostId === hostId && row.networkId === network.id)
    .map(({ address }) => address);
  if (given.length === 0 && network.subnets.some((cidr) => familyOf(cidr) === 4)) return [];
  const derivable = network.subnets.find((cidr) => familyOf(cidr) === 6 && cidr.endsWith('/64'));
  if (derivable === undefined || given.some((address) => familyOf(address) === 6)) return given;
  return [...given, ipv6FromMac(derivable, balancerMac(hostId, network.id))];
}
