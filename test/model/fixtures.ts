import {
  HEALTH_MONITOR_DEFAULTS,
  LISTENER_DEFAULTS,
  LOAD_BALANCER_DEFAULTS,
  MEMBER_DEFAULTS,
  POOL_DEFAULTS,
} from '../../src/model/defaults.ts';
import { EMPTY_MODEL } from '../../src/model/lookup.ts';
import type {
  HealthMonitor,
  Host,
  Listener,
  LoadBalancer,
  Member,
  Model,
  MonitorType,
  Network,
  Pool,
} from '../../src/model/types.ts';

const TIME = '2026-01-01T00:00:00.000000';
let nextKey = 1;
const head = (kind: string, name: string) => ({ id: `${kind}-${name}`, key: nextKey++, name });
const item = { description: '', adminStateUp: true, createdAt: TIME, updatedAt: undefined };

export const blue: Network = {
  ...head('network', 'blue'),
  vlan: 0,
  subnets: ['10.0.0.0/24', 'fd00::/64'],
  balancerRanges: ['10.0.0.240-10.0.0.250'],
  antiSpoofing: true,
  subnetNames: {},
};
export const red: Network = {
  ...head('network', 'red'),
  vlan: 7,
  subnets: ['10.0.0.0/24'],
  balancerRanges: [],
  antiSpoofing: true,
  subnetNames: {},
};

export function member(address: string, protocolPort = 80): Member {
  return { ...item, ...MEMBER_DEFAULTS, ...head('member', `${address}-${protocolPort}`), address, protocolPort };
}

export function pool(name: string, members: readonly Member[] = []): Pool {
  return {
    ...item,
    ...POOL_DEFAULTS,
    ...head('pool', name),
    algorithm: 'SOURCE_IP',
    healthMonitor: undefined,
    members,
  };
}

export function healthMonitor(type: MonitorType, attributes: Partial<HealthMonitor> = {}): HealthMonitor {
  const times = { delaySeconds: 5, timeoutSeconds: 2, maxRetries: 2, maxRetriesDown: 3 };
  const { description: _, ...rest } = item;
  return { ...HEALTH_MONITOR_DEFAULTS, ...rest, ...head('monitor', type), type, ...times, ...attributes };
}

export function listener(protocolPort: number, defaultPool?: Pool): Listener {
  return {
    ...item,
    ...LISTENER_DEFAULTS,
    ...head('listener', String(protocolPort)),
    protocol: 'TCP',
    protocolPort,
    defaultPool,
  };
}

export function loadBalancer(name: string, attributes: Partial<LoadBalancer> = {}): LoadBalancer {
  return {
    ...item,
    ...LOAD_BALANCER_DEFAULTS,
    ...head('lb', name),
    owner: '',
    network: blue,
    vips: ['10.0.0.100'],
    placement: 'switch',
    flavorId: undefined,
    availabilityZone: undefined,
    listeners: [],
    pools: [],
    generation: 1,
    ...attributes,
  };
}

export function host(name: string, attributes: Partial<Host> = {}): Host {
  const status = { state: 'unknown', error: '', applied: 0, ovsVersion: '' } as const;
  return { ...head('host', name), remote: `tcp:192.0.2.1:6640`, bridge: 'br-int', status, ...attributes };
}

export function modelOf(parts: {
  readonly networks?: readonly Network[];
  readonly hosts?: readonly Host[];
  readonly loadBalancers?: readonly LoadBalancer[];
  readonly addresses?: Model['addresses'];
}): Model {
  const map = <T extends { readonly id: string }>(objects: readonly T[]) =>
    new Map(objects.map((one) => [one.id, one]));
  return {
    ...EMPTY_MODEL,
    networks: map(parts.networks ?? [blue, red]),
    hosts: map(parts.hosts ?? []),
    loadBalancers: map(parts.loadBalancers ?? []),
    addresses: parts.addresses ?? [],
  };
}
