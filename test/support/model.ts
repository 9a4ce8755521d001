/** Builders for what tests of the pipeline and the controller work on; for single objects see test/model/fixtures.ts. */
import type { ClassifiedPort } from '../../src/controller/ports.ts';
import type { Inventory, VmPort } from '../../src/host/inventory.ts';
import type { LoadBalancer, Member, MemberHealth } from '../../src/model/types.ts';
import type { BalancerView, HostView, PortView } from '../../src/pipeline/view.ts';
import { blue, listener, loadBalancer, pool } from '../model/fixtures.ts';

/** A load balancer with one pool of these members behind one listener per port. */
export function balancing(
  name: string,
  members: readonly Member[],
  attributes: Partial<LoadBalancer> & { readonly ports?: readonly number[] } = {},
): LoadBalancer {
  const { ports = [80], ...rest } = attributes;
  const only = pool(`${name}-pool`, members);
  return loadBalancer(name, { pools: [only], listeners: ports.map((port) => listener(port, only)), ...rest });
}

/** The load balancer on a host, ready; outside the switch it needs a plug to serve. */
export function balancerView(of: LoadBalancer, parts: Partial<BalancerView> = {}): BalancerView {
  return { loadBalancer: of, ownerKey: 0, plug: undefined, state: 'ready', ...parts };
}

const NOTHING = {};

/** `neighbours` and `addresses` by network id, `health` by load balancer id. */
export interface ViewParts extends Partial<Omit<HostView, 'neighbours' | 'addresses' | 'health'>> {
  readonly neighbours?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly addresses?: Readonly<Record<string, readonly string[]>>;
  readonly health?: Readonly<Record<string, Readonly<Record<string, MemberHealth>>>>;
}

/** A host's view; what is not given is empty. */
export function hostView({ neighbours = {}, addresses = {}, health = {}, ...parts }: ViewParts = {}): HostView {
  return {
    hostId: 'host-h1',
    ports: [],
    uplinks: [],
    strays: [],
    residents: [],
    leaving: [],
    probes: [],
    balancers: [],
    neighbours: (networkId) => neighbours[networkId] ?? NOTHING,
    addresses: (networkId) => addresses[networkId] ?? [],
    health: (loadBalancerId) => health[loadBalancerId] ?? NOTHING,
    slotTables: () => ({}),
    ...parts,
  };
}

/** A client's port in network blue, with a MAC that follows from its number. */
export function portView(ofport: number, parts: Partial<PortView> = {}): PortView {
  return { ofport, mac: macOf(ofport), network: blue, ownerKey: 0, ...parts };
}

/** A VM's MAC made of a number. */
export function macOf(number: number): string {
  const octets = [0x52, 0x54, 0, number >> 16, number >> 8, number].map((octet) => octet & 255);
  return octets.map((octet) => octet.toString(16).padStart(2, '0')).join(':');
}

/** A VM's port as a host's inventory has it. */
export function vmPort(name: string, parts: Partial<VmPort> = {}): VmPort {
  const ofport = parts.ofport ?? 1;
  return {
    ifaceId: `iface-${name}`,
    name,
    ofport,
    vlan: 0,
    mac: macOf(ofport),
    vmId: undefined,
    isUp: true,
    owner: undefined,
    ...parts,
  };
}

/** A served port of network blue. */
export function clientPort(name: string, parts: Partial<ClassifiedPort> = {}): ClassifiedPort {
  return {
    ...vmPort(name, parts),
    effectiveOwner: '',
    network: blue,
    ignored: undefined,
    ...parts,
  };
}

export function inventory(parts: Partial<Inventory> = {}): Inventory {
  return { vms: [], sandboxes: [], uplinks: [], ...parts };
}
