/**
 * A made-up cloud: ten networks, tenants with ten load balancers of ten members each, and hosts in tens, each ten with a
 * VM of one tenant. So every load balancer has its balancer on ten hosts, however many hosts there are.
 */
import type { Document } from '../../src/api/document.ts';

export const LOAD_BALANCERS = 1000;
export const MEMBERS = 10;
/** Load balancers of a tenant, and hosts where it has a VM. */
export const TEN = 10;
const NETWORKS = 10;

const networkOf = (tenant: number): number => tenant % NETWORKS;
const vlanOf = (network: number): number => 101 + network;
const octet = (value: number): string => value.toString(16).padStart(2, '0');

/** The tenant with a VM on this host, and the VM. */
export function vmOn(host: number): { readonly owner: string; readonly vlan: number; readonly mac: string } {
  const tenant = Math.floor(host / TEN);
  const mac = `52:54:01:00:${octet(host >> 8)}:${octet(host & 255)}`;
  return { owner: `tenant-${tenant}`, vlan: vlanOf(networkOf(tenant)), mac };
}

/** The MAC that answers for a member's address. */
export function memberMac(address: string): string {
  const [, network = 0, high = 0, low = 0] = address.split('.').map(Number);
  return `52:54:02:${octet(network)}:${octet(high)}:${octet(low)}`;
}

export const hostName = (host: number): string => `h${String(host).padStart(4, '0')}`;
export const loadBalancerName = (index: number): string => `lb-${index}`;

export function networks(): Document {
  return {
    networks: Array.from({ length: NETWORKS }, (_, n) => {
      return { name: `net-${n}`, vlan: vlanOf(n), subnets: [`10.${n}.0.0/16`] };
    }),
  };
}

/** Load balancers from `first`, `count` of them, as a document. */
export function loadBalancers(first: number, count: number): Document {
  return { load_balancers: Array.from({ length: count }, (_, nth) => loadBalancer(first + nth)) };
}

function loadBalancer(index: number): NonNullable<Document['load_balancers']>[number] {
  const tenant = Math.floor(index / TEN);
  const network = networkOf(tenant);
  /** Number in its network. */
  const place = Math.floor(tenant / NETWORKS) * TEN + (index % TEN);
  const members = Array.from({ length: MEMBERS }, (_, nth) => {
    const number = place * MEMBERS + nth;
    return { address: `10.${network}.${1 + (number >> 7)}.${1 + (number & 127)}`, protocol_port: 80, weight: 1 };
  });
  const pool = { name: 'web', protocol: 'TCP', lb_algorithm: 'SOURCE_IP_PORT', members } as const;
  return {
    ...{ name: loadBalancerName(index), owner: `tenant-${tenant}`, network: `net-${network}`, placement: 'switch' },
    vips: [`10.${network}.200.${1 + place}`],
    listeners: [{ protocol: 'TCP', protocol_port: 80, default_pool: 'web' }],
    pools: [pool],
  };
}
