/** What callers give to create and change objects of the model: attributes that are absent take their default. */
import type { L7Action, L7CompareType, L7RuleType } from './l7.ts';
import type {
  Algorithm,
  FlavorData,
  HttpCheck,
  ListenerProtocol,
  Locality,
  LookupMode,
  MonitorType,
  PersistenceType,
  Placement,
  PoolProtocol,
  ReturnPath,
  Timeouts,
  UntilReady,
  VirtualMachineKind,
  WhenEmpty,
} from './types.ts';

/** What a caller gives to create a network; `put` also updates. */
export interface NetworkSpec {
  readonly name: string;
  readonly vlan?: number | undefined;
  readonly subnets: readonly string[];
  /** By CIDR; a subnet that is not named keeps its name. */
  readonly subnetNames?: Readonly<Record<string, string>> | undefined;
  readonly balancerRanges?: readonly string[] | undefined;
  readonly antiSpoofing?: boolean | undefined;
}

export interface HostSpec {
  readonly name: string;
  readonly remote: string;
  readonly bridge?: string | undefined;
}

export interface PortSpec {
  readonly ifaceId: string;
  readonly name?: string | undefined;
  readonly owner?: string | undefined;
}

/** A load balancer with, if wanted, everything below it: one call, one transaction. */
export interface LoadBalancerSpec {
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  readonly owner?: string | undefined;
  /** Network id or name. */
  readonly network: string;
  /** Empty: the store picks a free IPv4 (or else IPv6) address of the network. */
  readonly vips: readonly string[];
  /** CIDRs of the network's: a free VIP of each, besides those that are said. */
  readonly vipSubnets?: readonly string[] | undefined;
  readonly vipSubnetId?: string | undefined;
  readonly placement?: Placement | undefined;
  readonly lookupMode?: LookupMode | undefined;
  readonly returnPath?: ReturnPath | undefined;
  readonly untilReady?: UntilReady | undefined;
  /** Name or id of an availability zone; absent = balancers on every host with a client. */
  readonly availabilityZone?: string | undefined;
  /** Flavor id or name; absent = the default flavor of the placement, if there is one. */
  readonly flavor?: string | undefined;
  readonly adminStateUp?: boolean | undefined;
  readonly tags?: readonly string[] | undefined;
  readonly listeners?: readonly ListenerSpec[] | undefined;
  readonly pools?: readonly PoolSpec[] | undefined;
}

export interface ListenerSpec {
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  readonly protocol: ListenerProtocol;
  readonly protocolPort: number;
  readonly adminStateUp?: boolean | undefined;
  readonly connectionLimit?: number | undefined;
  /** As Octavia has it: header name → "true" or "false". */
  readonly insertHeaders?: Readonly<Record<string, string>> | undefined;
  readonly timeouts?: Partial<Timeouts> | undefined;
  readonly allowedCidrs?: readonly string[] | undefined;
  readonly tags?: readonly string[] | undefined;
  /** A new pool, or the id (in a new load balancer: the name) of one of the load balancer's pools. */
  readonly defaultPool?: PoolSpec | string | undefined;
  /** Each is put at its position in turn. */
  readonly l7Policies?: readonly L7PolicySpec[] | undefined;
}

export interface L7PolicySpec {
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  /** Absent = the one that what it redirects to tells. */
  readonly action?: L7Action | undefined;
  /** As `defaultPool` of a listener. */
  readonly redirectPool?: PoolSpec | string | null | undefined;
  readonly redirectUrl?: string | null | undefined;
  readonly redirectPrefix?: string | null | undefined;
  readonly redirectHttpCode?: number | null | undefined;
  /** From 1; those that have it already, and all after them, move on. Absent, or beyond the last: the last. */
  readonly position?: number | undefined;
  readonly rules?: readonly L7RuleSpec[] | undefined;
  readonly adminStateUp?: boolean | undefined;
  readonly tags?: readonly string[] | undefined;
}

export interface L7RuleSpec {
  readonly type: L7RuleType;
  readonly compareType: L7CompareType;
  /** Name of the header or cookie. */
  readonly field?: string | null | undefined;
  readonly value: string;
  readonly invert?: boolean | undefined;
  readonly adminStateUp?: boolean | undefined;
  readonly tags?: readonly string[] | undefined;
}

export interface PoolSpec {
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  readonly protocol?: PoolProtocol | undefined;
  readonly algorithm: Algorithm;
  readonly locality?: Locality | undefined;
  readonly localityFactor?: number | undefined;
  readonly sessionPersistence?: SessionPersistenceSpec | undefined;
  readonly slowStartSeconds?: number | undefined;
  readonly whenEmpty?: WhenEmpty | undefined;
  readonly healthMonitor?: HealthMonitorSpec | undefined;
  readonly adminStateUp?: boolean | undefined;
  readonly members?: readonly MemberSpec[] | undefined;
  readonly tags?: readonly string[] | undefined;
}

export interface MemberSpec {
  readonly name?: string | undefined;
  readonly address: string;
  readonly protocolPort: number;
  readonly weight?: number | undefined;
  readonly backup?: boolean | undefined;
  readonly monitorAddress?: string | null | undefined;
  readonly monitorPort?: number | null | undefined;
  readonly subnetId?: string | undefined;
  readonly adminStateUp?: boolean | undefined;
  readonly tags?: readonly string[] | undefined;
}

export interface SessionPersistenceSpec {
  readonly type: PersistenceType;
  readonly cookieName?: string | null | undefined;
  readonly timeoutSeconds?: number | null | undefined;
  /** A netmask. */
  readonly granularity?: string | null | undefined;
}

export interface HealthMonitorSpec {
  readonly name?: string | undefined;
  readonly type: MonitorType;
  readonly delaySeconds: number;
  readonly timeoutSeconds: number;
  readonly maxRetries: number;
  readonly maxRetriesDown?: number | undefined;
  readonly http?: { readonly [K in keyof HttpCheck]?: HttpCheck[K] | null | undefined } | undefined;
  readonly adminStateUp?: boolean | undefined;
  readonly tags?: readonly string[] | undefined;
}

export interface FlavorProfileSpec {
  readonly name: string;
  readonly placement: Placement;
  readonly data?: Partial<FlavorData> | undefined;
}

export interface AvailabilityZoneProfileSpec {
  readonly name: string;
  readonly placement: Placement;
  /** Names of hosts. */
  readonly hosts: readonly string[];
}

export interface AvailabilityZoneSpec {
  readonly name: string;
  readonly description?: string | undefined;
  readonly enabled?: boolean | undefined;
  /** Id or name of a profile. */
  readonly profile: string;
}

export interface FlavorSpec {
  readonly name: string;
  readonly description?: string | undefined;
  readonly enabled?: boolean | undefined;
  readonly isDefault?: boolean | undefined;
  /** Id or name of a flavor profile. */
  readonly profile: string;
}

export interface VirtualMachineSpec {
  readonly name: string;
  /** Host id or name. */
  readonly host: string;
  readonly kind?: VirtualMachineKind | undefined;
  /** Network id or name. */
  readonly network: string;
  readonly owner?: string | undefined;
  /** Empty or absent: the store picks a free address per family of the network. */
  readonly addresses?: readonly string[] | undefined;
  readonly servePort?: number | undefined;
  readonly vcpus?: number | undefined;
  readonly memoryMib?: number | undefined;
  readonly image?: string | undefined;
}

/** What an update may change; absent = as it is. */
type Patch<T> = { readonly [K in keyof T]?: T[K] | undefined };
export type LoadBalancerPatch = Pick<
  LoadBalancerSpec,
  'name' | 'description' | 'adminStateUp' | 'lookupMode' | 'returnPath' | 'untilReady' | 'tags'
>;
export type ListenerPatch = Omit<ListenerSpec, 'protocol' | 'protocolPort' | 'defaultPool' | 'l7Policies'> & {
  /** Id of a pool; null = none. */
  readonly defaultPoolId?: string | null | undefined;
};
/** A pool is named by its id; with null there is none. */
export type L7PolicyPatch = Omit<L7PolicySpec, 'redirectPool' | 'rules'> & {
  readonly redirectPool?: string | null | undefined;
};
export type L7RulePatch = Patch<L7RuleSpec>;
export type PoolPatch = Patch<Omit<PoolSpec, 'protocol' | 'members' | 'healthMonitor' | 'sessionPersistence'>> & {
  /** Null = none. */
  readonly sessionPersistence?: SessionPersistenceSpec | null | undefined;
};
export type MemberPatch = Omit<MemberSpec, 'address' | 'protocolPort' | 'subnetId'>;
export type HealthMonitorPatch = Patch<Omit<HealthMonitorSpec, 'type'>>;
export type AvailabilityZoneProfilePatch = Patch<AvailabilityZoneProfileSpec>;
export type AvailabilityZonePatch = Patch<Omit<AvailabilityZoneSpec, 'name' | 'profile'>>;
export type FlavorPatch = Patch<Omit<FlavorSpec, 'profile'>>;
/** Placement and data only while no flavor uses the profile. */
export type FlavorProfilePatch = Patch<FlavorProfileSpec>;
