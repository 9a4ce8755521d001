/** What stands in a network: its subnets parsed, and which addresses of it are taken by whom. */
import type { AddressRange, Cidr } from '../addresses.ts';
import { contains, isHostAddress, isUnicast, parseCidr, parseRange } from '../addresses.ts';
import { ModelError } from '../errors.ts';
import type { LoadBalancer, Member, Model, Network, Placement, Pool, ReturnPath, VirtualMachine } from '../types.ts';

/** The load balancer that listeners and pools are for; it may not exist yet. */
export interface PoolContext {
  readonly model: Model;
  readonly network: Network;
  readonly placement: Placement;
  readonly returnPath: ReturnPath;
  readonly vips: readonly string[];
  readonly owner: string;
}

/** The context of a load balancer that exists. */
export function poolContext(model: Model, { network, placement, returnPath, vips, owner }: LoadBalancer): PoolContext {
  return { model, network, placement, returnPath, vips, owner };
}

/** The pool that members are for; it may not exist yet. */
export type MemberContext = PoolContext & Pick<Pool, 'protocol'>;

/** The context of a pool that exists. */
export function memberContext(model: Model, loadBalancer: LoadBalancer, { protocol }: Pool): MemberContext {
  return { ...poolContext(model, loadBalancer), protocol };
}

/** The part of a network that addresses are checked against. */
export interface Blocks {
  readonly name: string;
  readonly subnets: readonly Cidr[];
  readonly ranges: readonly AddressRange[];
}

/** The network's subnets and ranges, parsed. */
export function blocksOf(network: Pick<Network, 'name' | 'subnets' | 'balancerRanges'>): Blocks {
  return {
    name: network.name,
    subnets: network.subnets.map(parseCidr),
    ranges: network.balancerRanges.map(parseRange),
  };
}

/**
 * Checks that a machine in the network may have the address and that no balancer will be given it.
 * `what` names the address in errors, e.g. `VIP 10.0.0.1`. Throws ModelError('invalid').
 */
export function requirePlace(blocks: Blocks, address: string, what: string): void {
  if (!isUnicast(address)) throw new ModelError('invalid', `${what} is not a unicast address`);
  if (blocks.subnets.length === 0) return;
  const subnet = blocks.subnets.find((candidate) => contains(candidate, address));
  if (subnet === undefined) {
    const subnets = blocks.subnets.map((candidate) => candidate.text).join(', ');
    throw new ModelError('invalid', `${what} lies in no subnet of network ${blocks.name} (${subnets})`);
  }
  if (!isHostAddress(subnet, address)) {
    throw new ModelError('invalid', `${what} is the network, broadcast or anycast address of subnet ${subnet.text}`);
  }
  const range = blocks.ranges.find((candidate) => contains(candidate, address));
  if (range !== undefined) {
    throw new ModelError('invalid', `${what} lies in balancer range ${range.text} of network ${blocks.name}`);
  }
}

/** The load balancers of a network. */
export function* loadBalancersOf(model: Model, networkId: string): Generator<LoadBalancer, void> {
  for (const loadBalancer of model.loadBalancers.values()) {
    if (loadBalancer.network.id === networkId) yield loadBalancer;
  }
}

/** The virtual machines of a network. */
export function* virtualMachinesOf(model: Model, networkId: string): Generator<VirtualMachine, void> {
  for (const machine of model.virtualMachines.values()) {
    if (machine.network.id === networkId) yield machine;
  }
}

/** Where a member is reached: its address, and the one where its health is asked for. */
export function addressesOf({ address, monitorAddress }: Member): readonly string[] {
  return monitorAddress === undefined ? [address] : [address, monitorAddress];
}

/** Who has each VIP of a network. */
export function vipsOf(model: Model, networkId: string): ReadonlyMap<string, LoadBalancer> {
  const vips = new Map<string, LoadBalancer>();
  for (const loadBalancer of loadBalancersOf(model, networkId)) {
    for (const vip of loadBalancer.vips) vips.set(vip, loadBalancer);
  }
  return vips;
}

/** The load balancer for humans: its name if it has one, and its id. */
export function label(loadBalancer: Pick<LoadBalancer, 'name' | 'id'>): string {
  return loadBalancer.name === '' ? loadBalancer.id : `${loadBalancer.name} (${loadBalancer.id})`;
}

/** A load balancer that is in the way of `owner`: named, unless it is another owner's, of which nothing is told. */
export function rival(loadBalancer: Pick<LoadBalancer, 'name' | 'id' | 'owner'>, owner: string): string {
  return loadBalancer.owner === owner ? `load balancer ${label(loadBalancer)}` : "another owner's load balancer";
}
