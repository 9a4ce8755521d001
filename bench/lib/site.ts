/** A made-up site for benches that compute only: load balancers with members, seen by one host. */
import { LISTENER_DEFAULTS, LOAD_BALANCER_DEFAULTS, MEMBER_DEFAULTS, POOL_DEFAULTS } from '../../src/model/defaults.ts';
import type { LoadBalancer, Member, Neighbours, Network, Pool } from '../../src/model/types.ts';
import type { HostView } from '../../src/pipeline/view.ts';

const NETWORK: Network = {
  ...{ id: 'network', key: 1, name: 'blue', vlan: 0 },
  subnets: ['10.0.0.0/8'],
  balancerRanges: [],
  antiSpoofing: true,
  subnetNames: {},
};
const BORN = { createdAt: '2020-01-01T00:00:00', updatedAt: undefined };
const ALWAYS = { description: '', adminStateUp: true, ...BORN };

const byte = (value: number): number => value & 255;
const addressOf = (block: number, value: number): string =>
  `10.${block + (value >> 16)}.${byte(value >> 8)}.${byte(value)}`;
const macOf = (value: number): string =>
  `52:54:00:${[value >> 16, value >> 8, value].map((part) => byte(part).toString(16).padStart(2, '0')).join(':')}`;

/** Load balancer number `index`, with members of its own; `version` makes a new value of the same object. */
export function loadBalancer(
  index: number,
  options: { readonly members: number; readonly version?: number },
): LoadBalancer {
  const key = 10 + index * 1000;
  const members = Array.from({ length: options.members }, (_, nth): Member => {
    const number = index * options.members + nth;
    // The version changes the last member: another weight, as a tenant's change would.
    const weight = nth === options.members - 1 ? 1 + ((options.version ?? 0) % 2) : 1;
    const where = { address: addressOf(64, number), protocolPort: 80, weight };
    return { ...ALWAYS, ...MEMBER_DEFAULTS, id: `member-${number}`, key: key + 10 + nth, ...where };
  });
  const pool: Pool = {
    ...ALWAYS,
    ...POOL_DEFAULTS,
    ...{ id: `pool-${index}`, key: key + 2, algorithm: 'SOURCE_IP_PORT', healthMonitor: undefined, members },
  };
  const listener = {
    ...ALWAYS,
    ...LISTENER_DEFAULTS,
    id: `listener-${index}`,
    key: key + 1,
    protocolPort: 80,
  } as const;
  return {
    ...ALWAYS,
    ...LOAD_BALANCER_DEFAULTS,
    ...{
      id: `lb-${index}`,
      key,
      owner: '',
      network: NETWORK,
      vips: [addressOf(32, index)],
      flavorId: undefined,
      availabilityZone: undefined,
    },
    ...{ placement: 'switch', listeners: [{ ...listener, protocol: 'TCP', defaultPool: pool }], pools: [pool] },
    generation: options.version ?? 0,
  };
}

const NOTHING = {};

/** The host's view of these load balancers: 20 VMs, all members known. */
export function viewOf(loadBalancers: readonly LoadBalancer[], neighbours: Neighbours): HostView {
  const ports = Array.from({ length: 20 }, (_, nth) => {
    return { ofport: 10 + nth, mac: macOf(nth), network: NETWORK, ownerKey: 0 };
  });
  return {
    hostId: 'host',
    ports,
    uplinks: [{ ofport: 1, tag: undefined }],
    strays: [],
    residents: [],
    leaving: [],
    balancers: loadBalancers.map((one) => ({ loadBalancer: one, ownerKey: 0, plug: undefined, state: 'ready' })),
    neighbours: () => neighbours,
    probes: [],
    addresses: () => [],
    health: () => NOTHING,
    slotTables: () => ({}),
  };
}

/** A MAC for each member. */
export function neighboursOf(loadBalancers: readonly LoadBalancer[]): Neighbours {
  const members = loadBalancers.flatMap(({ pools }) => pools.flatMap((pool) => pool.members));
  return Object.fromEntries(members.map(({ address }, number) => [address, macOf(number)]));
}
