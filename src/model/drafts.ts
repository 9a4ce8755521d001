/** Specs after validation: canonical text, every default filled in, references resolved. Ready to be written. */
import type {
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
  /** Every new pool once, those that are a listener's default pool included (the same object). */
  readonly pools: readonly PoolDraft[];
}

export interface ListenerDraft extends Omit<Listener, Given | 'defaultPool'> {
  readonly defaultPool:
    | { readonly kind: 'new'; readonly pool: PoolDraft }
    | { readonly kind: 'existing'; readonly pool: Pool }
    | undefined;
}

/** What of an object its own request sets, apart from what is below it; complete. */
export type LoadBalancerAttributes = Pick<
  LoadBalancer,
  'name' | 'description' | 'adminStateUp' | 'lookupMode' | 'returnPath' | 'untilReady' | 'tags'
>;
export type ListenerAttributes = Omit<ListenerDraft, 'defaultPool'>;
export type PoolAttributes = Omit<PoolDraft, 'members' | 'healthMonitor'>;

export interface PoolDraft extends Omit<Pool, Given | 'members' | 'healthMonitor'> {
  readonly members: readonly MemberDraft[];
  readonly healthMonitor: HealthMonitorDraft | undefined;
}

export type MemberDraft = Omit<Member, Given>;
export type HealthMonitorDraft = Omit<HealthMonitor, Given>;
export type FlavorProfileDraft = Omit<FlavorProfile, 'id'>;
export type FlavorDraft = Omit<Flavor, 'id'>;
export type VirtualMachineDraft = Omit<VirtualMachine, 'id' | 'key' | 'mac' | 'state' | 'error' | 'since'>;
