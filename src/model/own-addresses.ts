import { type Family, familyOf, parseCidr } from './addresses.ts';
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

type AddressedNetwork = Pick<Network, 'subnets' | 'balancerRanges'>;

/** The families in which a host with these addresses in the network must be given one yet. */
export function missingFamilies(network: AddressedNetwork, given: readonly string[]): readonly Family[] {
  return neededFamilies(network).filter((family) => !given.some((address) => familyOf(address) === family));
}

/** The families in which no host can be given the address that it needs: the network has no range for them. */
export function unservedFamilies(network: AddressedNetwork): readonly Family[] {
  return missingFamilies(network, network.balancerRanges);
}

/**
 * The families in which a host must be given an address. IPv4 always, where the network has it; IPv6 where there is a
 * range for it, or where nothing else would do: in a /64 the address follows from the host's MAC, and a host that has
 * an IPv4 address can do without.
 */
export function neededFamilies({ subnets, balancerRanges }: AddressedNetwork): readonly Family[] {
  const parsed = subnets.map(parseCidr);
  const has = (family: Family) => parsed.some((subnet) => subnet.family === family);
  const hasRange = balancerRanges.some((range) => familyOf(range) === 6);
  const isDerived = parsed.some((subnet) => subnet.family === 6 && subnet.prefixLength === 64);
  const needs: Readonly<Record<Family, boolean>> = { 4: has(4), 6: hasRange || (!has(4) && !isDerived) };
  return ([4, 6] as const).filter((family) => needs[family]);
}
