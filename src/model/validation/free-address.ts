/** Picking addresses that nobody has. */
import type { Cidr } from '../addresses.ts';
import { addressFromNumber, contains, isHostAddress } from '../addresses.ts';
import type { Model, Network } from '../types.ts';
import { addressesOf, type Blocks, loadBalancersOf, vipsOf, virtualMachinesOf } from './site.ts';

/** How many addresses are looked at before a subnet counts as full. */
const MAX_SEARCH = 65_536;

/** What in a network is known to be in use, balancer ranges apart. */
export function takenAddresses(model: Model, network: Network): ReadonlySet<string> {
  const taken = new Set(vipsOf(model, network.id).keys());
  for (const machine of virtualMachinesOf(model, network.id)) for (const one of machine.addresses) taken.add(one);
  for (const loadBalancer of loadBalancersOf(model, network.id)) {
    for (const pool of loadBalancer.pools) {
      for (const member of pool.members) for (const one of addressesOf(member)) taken.add(one);
    }
  }
  return taken;
}

/** The highest free address of these subnets: machines and gateways are usually numbered from the bottom. */
export function highestFree(subnets: readonly Cidr[], avoid: Avoid): string | undefined {
  return search(subnets, avoid, ({ last }, step) => last - step);
}

/** The lowest free address of these subnets, except the very first: that is a router's, as a rule. */
export function lowestFree(subnets: readonly Cidr[], avoid: Avoid): string | undefined {
  return search(subnets, avoid, ({ first, last }, step) => first + (last - first > 1n ? 2n : 0n) + step);
}

interface Avoid {
  readonly taken: ReadonlySet<string>;
  readonly ranges: Blocks['ranges'];
}

function search(
  subnets: readonly Cidr[],
  { taken, ranges }: Avoid,
  candidate: (subnet: Cidr, step: bigint) => bigint,
): string | undefined {
  let tries = 0;
  for (const subnet of subnets) {
    for (let step = 0n; tries < MAX_SEARCH; step++, tries++) {
      const value = candidate(subnet, step);
      if (value < subnet.first || value > subnet.last) break;
      const address = addressFromNumber(value, subnet.family);
      const isFree = !taken.has(address) && !ranges.some((range) => contains(range, address));
      if (isFree && isHostAddress(subnet, address)) return address;
    }
  }
  return undefined;
}
