/** The JSON of every resource, as the API answers it and clients read it. */
import type {
  Algorithm,
  BalancerState,
  HostStatus,
  ListenerProtocol,
  Locality,
  LookupMode,
  MemberHealth,
  MonitorType,
  PersistenceType,
  Placement,
  PoolProtocol,
  ReturnPath,
  UntilReady,
  VirtualMachineKind,
  WhenEmpty,
} from '../model/types.ts';

export type ProvisioningStatus = 'ACTIVE' | 'PENDING_CREATE' | 'PENDING_UPDATE';
export type OperatingStatus = 'ONLINE' | 'DRAINING' | 'OFFLINE' | 'DEGRADED' | 'ERROR' | 'NO_MONITOR';

export interface Reference {
  readonly id: string;
}

/** What all of Octavia's resources have. */
interface Common {
  readonly id: string;
  readonly name: string;
  readonly admin_state_up: boolean;
  readonly provisioning_status: ProvisioningStatus;
  readonly operating_status: OperatingStatus;
  readonly project_id: string;
  readonly tenant_id: string;
  readonly created_at: string;
  readonly updated_at: string | null;
  readonly tags: readonly string[];
}

export interface AdditionalVip {
  readonly subnet_id: string;
  readonly ip_address: string;
  readonly port_id: string;
}

export interface LoadBalancerJson extends Common {
  readonly description: string;
  readonly provider: Placement;
  readonly flavor_id: string | null;
  readonly lookup_mode: LookupMode;
  readonly return_path: ReturnPath;
  readonly until_ready: UntilReady;
  readonly vip_address: string;
  readonly vip_network_id: string;
  readonly vip_subnet_id: string;
  readonly vip_port_id: string;
  readonly additional_vips: readonly AdditionalVip[];
  /** References; full objects in the answer to a create with children. */
  readonly listeners: readonly Reference[];
  readonly pools: readonly Reference[];
}

export interface ListenerJson extends Common {
  readonly description: string;
  readonly protocol: ListenerProtocol;
  readonly protocol_port: number;
  readonly default_pool_id: string | null;
  readonly connection_limit: number;
  readonly insert_headers: Readonly<Record<string, string>>;
  readonly timeout_client_data: number;
  readonly timeout_member_connect: number;
  readonly timeout_member_data: number;
  readonly timeout_tcp_inspect: number;
  readonly allowed_cidrs: readonly string[] | null;
  readonly loadbalancers: readonly Reference[];
}

export interface SessionPersistenceJson {
  readonly type: PersistenceType;
  readonly cookie_name: string | null;
  /** Seconds. */
  readonly persistence_timeout: number | null;
  readonly persistence_granularity: string | null;
}

export interface PoolJson extends Common {
  readonly description: string;
  readonly protocol: PoolProtocol;
  readonly lb_algorithm: Algorithm;
  readonly session_persistence: SessionPersistenceJson | null;
  readonly locality: Locality;
  readonly locality_factor: number;
  /** Seconds. */
  readonly slow_start: number;
  readonly when_empty: WhenEmpty;
  /** Absent without a health monitor. */
  readonly healthmonitor_id?: string;
  readonly loadbalancers: readonly Reference[];
  readonly listeners: readonly Reference[];
  readonly members: readonly Reference[];
}

export interface MemberJson extends Common {
  readonly address: string;
  readonly protocol_port: number;
  readonly weight: number;
  readonly backup: boolean;
  readonly monitor_address: string | null;
  readonly monitor_port: number | null;
  readonly subnet_id: string | null;
}

export interface HealthMonitorJson extends Common {
  readonly type: MonitorType;
  /** Seconds, as `timeout`. */
  readonly delay: number;
  readonly timeout: number;
  readonly max_retries: number;
  readonly max_retries_down: number;
  /** This and what follows: null but for HTTP and HTTPS. */
  readonly http_method: string | null;
  readonly url_path: string | null;
  readonly expected_codes: string | null;
  readonly http_version: number | null;
  readonly domain_name: string | null;
  readonly pools: readonly Reference[];
}

export interface FlavorProfileJson {
  readonly id: string;
  readonly name: string;
  readonly provider_name: Placement;
  /** An object in JSON. */
  readonly flavor_data: string;
}

export interface FlavorJson {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly enabled: boolean;
  readonly flavor_profile_id: string;
  /** Whether load balancers of its placement that name none get it. */
  readonly default: boolean;
}

export interface CountersJson {
  readonly bytes_in: number;
  readonly bytes_out: number;
  readonly active_connections: number;
  readonly total_connections: number;
  readonly request_errors: number;
}

/** The same and more, null where the placement cannot tell. */
export interface FiguresJson {
  readonly bytes_in: number;
  readonly bytes_out: number;
  readonly packets_in: number | null;
  readonly packets_out: number | null;
  readonly active_connections: number | null;
  readonly total_connections: number | null;
  readonly request_errors: number;
}

export interface NetworkJson {
  readonly id: string;
  readonly name: string;
  /** Null: none yet. */
  readonly vlan: number | null;
  readonly subnets: readonly string[];
  readonly balancer_range: readonly string[];
  readonly anti_spoofing: boolean;
}

export interface HostJson {
  readonly id: string;
  readonly name: string;
  readonly remote: string;
  readonly bridge: string;
  readonly status: HostStatus['state'];
  readonly error: string;
  /** The newest change number whose effect the host's switch has confirmed. */
  readonly applied: number;
  readonly ovs_version: string;
  /** VM ports seen there. */
  readonly ports: number;
  readonly balancers: number;
}

export interface VmJson {
  readonly iface_id: string;
  readonly name: string;
  /** Null: registered, but seen on no host. */
  readonly host: string | null;
  /** Name of the network; null when unknown. */
  readonly network: string | null;
  readonly owner: string;
  readonly mac: string | null;
  readonly vm_id: string | null;
  readonly registered: boolean;
  /** What an agent of ours runs it as, and how; null or empty where the machine is somebody else's. */
  readonly kind: VirtualMachineKind | null;
  readonly addresses: readonly string[];
  readonly serve_port: number | null;
  readonly vcpus: number | null;
  readonly memory_mib: number | null;
  readonly image: string | null;
  /** Of the machine while it is ours and not ready; else of its port. */
  readonly state: 'client' | 'ignored' | 'absent' | 'pending' | 'failed';
  /** Empty, or why it is so. */
  readonly reason: string;
  /** Names of the load balancers that serve it. */
  readonly client_of: readonly string[];
}

export interface UserJson {
  readonly id: string;
  readonly name: string;
  readonly enabled: boolean;
  readonly password_set: boolean;
  /** Project → roles in it. */
  readonly projects: Readonly<Record<string, readonly string[]>>;
  readonly created_at: string;
}

export interface QuotaJson {
  readonly owner: string;
  /** How many machines of ours it may have. */
  readonly vms: number;
  readonly vms_used: number;
}

/** A permanent entry of a VM's neighbour table. */
export interface NeighbourJson {
  readonly address: string;
  readonly mac: string;
  readonly loadbalancer: string;
  readonly loadbalancer_id: string;
  readonly network: string;
}

export interface ListenerReferenceJson {
  readonly id: string;
  readonly name: string;
  readonly protocol: ListenerProtocol;
  readonly protocol_port: number;
}

export interface MemberReferenceJson {
  readonly id: string;
  readonly pool_id: string;
  readonly name: string;
  readonly address: string;
  readonly protocol_port: number;
}

/** How a balancer finds a member; null when it has not looked. */
interface Found {
  readonly health: MemberHealth | null;
}

/** With its totals, and its figures of each listener and member. */
export interface BalancerJson extends FiguresJson {
  readonly id: string;
  readonly loadbalancer_id: string;
  readonly loadbalancer: string;
  readonly host: string;
  readonly placement: Placement;
  readonly state: BalancerState;
  readonly since: string;
  readonly error: string;
  /** How long it took until it served; null when that is not known. */
  readonly ready_ms: number | null;
  readonly listeners: readonly (ListenerReferenceJson & FiguresJson)[];
  readonly members: readonly (MemberReferenceJson & FiguresJson & Found)[];
}

export interface HostCountersJson extends FiguresJson {
  readonly host: string;
}

/** A load balancer's totals over all hosts, and each listener's and member's; all of them also host by host. */
export interface StatisticsJson extends FiguresJson {
  readonly id: string;
  readonly name: string;
  readonly hosts: readonly HostCountersJson[];
  readonly listeners: readonly (ListenerReferenceJson &
    FiguresJson & { readonly hosts: readonly HostCountersJson[] })[];
  readonly members: readonly (MemberReferenceJson &
    FiguresJson & {
      readonly operating_status: OperatingStatus;
      readonly hosts: readonly (HostCountersJson & Found)[];
    })[];
}

export interface ProgressJson {
  readonly generation: number;
  readonly hosts: readonly {
    readonly name: string;
    readonly state: HostStatus['state'];
    readonly applied: number;
    readonly error: string;
  }[];
}

export type Outcome = 'created' | 'changed' | 'unchanged';

export interface ApplyJson {
  readonly generation: number;
  readonly objects: readonly {
    readonly kind: 'network' | 'load_balancer';
    readonly name: string;
    readonly outcome: Outcome;
  }[];
}

export interface FlowDiffJson {
  readonly in_sync: boolean;
  readonly text: string;
}

export interface StatusJson {
  readonly generation: number;
  readonly database: { readonly connected: boolean };
  readonly hosts: { readonly total: number; readonly connected: number; readonly up_to_date: number };
  readonly networks: number;
  readonly load_balancers: { readonly total: number; readonly active: number; readonly online: number };
  readonly balancers: Readonly<Record<BalancerState, number>>;
  readonly vms: { readonly total: number; readonly clients: number };
  /** What is wrong, one line each; empty when all is well. */
  readonly problems: readonly string[];
}

export const EVENT_KINDS = ['loadbalancer', 'balancer', 'host', 'member'] as const;
export type EventKind = (typeof EVENT_KINDS)[number];
export type EventVerb = 'created' | 'updated' | 'deleted' | 'health';

/** Something that happened to an object; `object` is what it is now, or was when it went. */
export interface EventJson {
  /** To resume after it, with `Last-Event-ID`. */
  readonly id: string;
  readonly time: string;
  readonly type: `${EventKind}.${EventVerb}`;
  readonly kind: EventKind;
  readonly object: Readonly<Record<string, string | number | null>>;
}

export interface EventsJson {
  readonly events: readonly EventJson[];
}
