/** Model objects for tests of what the agent computes. */
import { createHash } from 'node:crypto';
import { LISTENER_DEFAULTS, LOAD_BALANCER_DEFAULTS, MEMBER_DEFAULTS, POOL_DEFAULTS } from '../../src/model/defaults.ts';
import type { Host, Listener, LoadBalancer, Member, Network, Pool } from '../../src/model/types.ts';

const BORN = { description: '', createdAt: '2026-01-01T00:00:00', updatedAt: undefined, adminStateUp: true } as const;

export const blue: Network = {
  id: 'net-blue',
  key: 1,
  name: 'blue',
  vlan: 0,
  subnets: ['10.0.0.0/24', 'fd00::/64'],
  balancerRanges: [],
};

export const h1: Host = {
  id: 'host-1',
  key: 2,
  name: 'h1',
  remote: 'unix:/db.sock',
  bridge: 'br-int',
  status: { state: 'connected', error: '', applied: 0, ovsVersion: '' },
};

export function member(address: string, given: Partial<Member> = {}): Member {
  const id = given.id ?? `m-${address}`;
  return { ...BORN, ...MEMBER_DEFAULTS, key: keyOf(id), address, protocolPort: 80, ...given, id };
}

/** As good as unique. */
function keyOf(id: string): number {
  return 1000 + (createHash('sha256').update(id).digest().readUInt32BE() >>> 8);
}

export function pool(id: string, members: readonly Member[], given: Partial<Pool> = {}): Pool {
  return {
    ...BORN,
    ...POOL_DEFAULTS,
    id,
    key: 20,
    algorithm: 'ROUND_ROBIN',
    healthMonitor: undefined,
    members,
    ...given,
  };
}

export function listener(id: string, defaultPool: Pool | undefined, given: Partial<Listener> = {}): Listener {
  return { ...BORN, ...LISTENER_DEFAULTS, id, key: 30, protocol: 'TCP', protocolPort: 80, defaultPool, ...given };
}

export function loadBalancer(listeners: readonly Listener[], given: Partial<LoadBalancer> = {}): LoadBalancer {
  const pools = listeners.flatMap(({ defaultPool }) => defaultPool ?? []);
  return {
    ...BORN,
    ...LOAD_BALANCER_DEFAULTS,
    id: 'lb-web',
    key: 7,
    name: 'web',
    owner: '',
    network: blue,
    vips: ['10.0.0.100', 'fd00::100'],
    placement: 'namespace',
    flavorId: undefined,
    listeners,
    pools,
    generation: 1,
    ...given,
  };
}
