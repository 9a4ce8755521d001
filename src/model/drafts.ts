/** Specs after validation: canonical text, every default filled in, references resolved. Ready to be written. */
import type { L7Policy, L7Rule } from './l7.ts';
import type {
  AvailabilityZone,
  AvailabilityZoneProfile,
  Flavor,
  FlavorProfile,
  HealthMonitor,
  Listener,
  LoadBalancer,
  Member,
  Pool,
  VirtualMachine,
} from './types.ts';

export interface NetworkDraft {
  readonly name: string;
  readonly vlan: number;
  readonly subnets: readonly string[];
  readonly subnetNames: Readonly<Record<string, string>>;
  readonly balancerRanges: readonly string[];
  readonly antiSpoofing: boolean;
}

export interface HostDraft {
  readonly name: string;
  readonly remote: string;
  readonly bridge: string;
}

export interface PortDraft {
  readonly ifaceId: string;
  readonly name: string;
  readonly owner: string;
}

/** What the database or the store gives to every new object. */
type Given = 'id' | 'key' | 'createdAt' | 'updatedAt';

export interface LoadBalancerDraft extends Omit<LoadBalancer, Given | 'generation' | 'listeners' | 'pools'> {
  readonly listeners: readonly ListenerDraft[];
  /** Every new pool once, those that listeners and L7 policies refer to included (the same objects). */
  readonly pools: readonly PoolDraft[];
}

/** The pool that something refers to. */
export type PoolReference =
  | { readonly kind: 'new'; readonly pool: PoolDraft }
  | { readonly kind: 'existing'; readonly pool: Pool };

export interface ListenerDraft extends Omit<Listener, Given | 'defaultPool' | 'l7Policies'> {
  readonly defaultPool: PoolReference | undefined;
  /** By position. */
  readonly l7Policies: readonly L7PolicyDraft[];
}

export interface L7PolicyDraft extends Omit<L7Policy, Given | 'redirectPool' | 'rules'> {
  readonly redirectPool: PoolReference | undefined;
  readonly rules: readonly L7RuleDraft[];
}

export type L7RuleDraft = Omit<L7Rule, Given>;

/** What of an object its own request sets, apart from what is below it; complete. */
export type LoadBalancerAttributes = Pick<
  LoadBalancer,
  'name' | 'description' | 'adminStateUp' | 'lookupMode' | 'returnPath' | 'untilReady' | 'tags'
>;
export type ListenerAttributes = Omit<ListenerDraft, 'defaultPool' | 'l7Policies'>;
export type L7PolicyAttributes = Omit<L7PolicyDraft, 'redirectPool' | 'rules'>;
export type PoolAttributes = Omit<PoolDraft, 'members' | 'healthMonitor'>;

export interface PoolDraft extends Omit<Pool, Given | 'members' | 'healthMonitor'> {
  readonly members: readonly MemberDraft[];
  readonly healthMonitor: HealthMonitorDraft | undefined;
}

export type MemberDraft = Omit<Member, Given>;
export type HealthMonitorDraft = Omit<HealthMonitor, Given>;
export type FlavorProfileDraft = Omit<FlavorProfile, 'id'>;
export type AvailabilityZoneProfileDraft = Omit<AvailabilityZoneProfile, 'id'>;
export type AvailabilityZoneDraft = Omit<AvailabilityZone, 'id'>;
export type FlavorDraft = Omit<Flavor, 'id'>;
export type VirtualMachineDraft = Omit<VirtualMachine, 'id' | 'key' | 'mac' | 'state' | 'error' | 'since'>;
