/** The objects that system tests configure, in few words. */
import type { Document } from '../../src/api/document.ts';

type LoadBalancer = NonNullable<Document['load_balancers']>[number];
type Listener = NonNullable<LoadBalancer['listeners']>[number];
type Pool = Exclude<NonNullable<Listener['default_pool']>, string>;
export type Member = NonNullable<Pool['members']>[number];

export const VIP4 = '10.0.0.100';
export const VIP6 = 'fd00::100';
export const VIPS = [VIP4, VIP6];

/** Addresses of the VM with this number, IPv4 and IPv6, as topologies have them. */
export const addressesOf = (number: number): [string, string] => [`10.0.0.${number}`, `fd00::${number}`];

/** Members with these numbers in both families. */
export function membersAt(numbers: readonly number[], more: Partial<Member> = {}): Member[] {
  return numbers.flatMap((number) => addressesOf(number).map((address) => ({ address, protocol_port: 80, ...more })));
}

/** A load balancer on network blue with one listener on port 80, unless told otherwise. */
export function balancing(
  name: string,
  members: readonly Member[],
  more: Partial<Omit<LoadBalancer, 'vips'>> & {
    readonly vips?: readonly string[];
    readonly algorithm?: Pool['lb_algorithm'];
    readonly port?: number;
    /** Further attributes of the listener and of its pool. */
    readonly listener?: Partial<Listener>;
    readonly pool?: Partial<Pool>;
  } = {},
): Document {
  const { algorithm = 'SOURCE_IP_PORT', port = 80, vips = VIPS, listener: ofListener, pool: ofPool, ...rest } = more;
  const pool = { lb_algorithm: algorithm, members: [...members], ...ofPool };
  const named = { name: `${name}-${port}`, protocol: 'TCP' as const, protocol_port: port };
  const listener: Listener = { ...named, default_pool: pool, ...ofListener };
  return { load_balancers: [{ name, network: 'blue', vips: [...vips], listeners: [listener], ...rest }] };
}

/** Network blue as topologies have it. */
export const BLUE = {
  name: 'blue',
  vlan: 0,
  subnets: ['10.0.0.0/24', 'fd00::/64'],
  balancer_range: '10.0.0.240-10.0.0.250',
};

/** A VM in network blue whose addresses end in the number. */
export function vmAt(name: string, host: string, number: number, more: { readonly owner?: string } = {}) {
  return { name, host, network: 'blue', ips: addressesOf(number), ...more };
}
