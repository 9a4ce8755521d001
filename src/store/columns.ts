/** The attributes of drafts and objects as columns: what an insert writes, and an update of what differs. */
import { isDeepStrictEqual } from 'node:util';
import type {
  AvailabilityZoneDraft,
  AvailabilityZoneProfileDraft,
  FlavorDraft,
  FlavorProfileDraft,
  HealthMonitorDraft,
  L7PolicyAttributes,
  L7RuleDraft,
  ListenerAttributes,
  LoadBalancerAttributes,
  MemberDraft,
  PoolAttributes,
} from '../model/drafts.ts';

export function loadBalancerColumns(attributes: LoadBalancerAttributes) {
  return {
    name: attributes.name,
    tags: attributes.tags,
    description: attributes.description,
    admin_state_up: attributes.adminStateUp,
    lookup_mode: attributes.lookupMode,
    return_path: attributes.returnPath,
    until_ready: attributes.untilReady,
  };
}

export function listenerColumns(attributes: ListenerAttributes) {
  const { timeouts } = attributes;
  return {
    name: attributes.name,
    tags: attributes.tags,
    description: attributes.description,
    protocol: attributes.protocol,
    protocol_port: attributes.protocolPort,
    admin_state_up: attributes.adminStateUp,
    connection_limit: attributes.connectionLimit,
    insert_headers: attributes.insertHeaders,
    omitted_headers: attributes.omittedHeaders,
    timeouts_ms: {
      client_data: timeouts.clientDataMs,
      member_connect: timeouts.memberConnectMs,
      member_data: timeouts.memberDataMs,
      tcp_inspect: timeouts.tcpInspectMs,
    },
    allowed_cidrs: [...attributes.allowedCidrs].sort(),
  };
}

export function l7PolicyColumns(attributes: L7PolicyAttributes) {
  return {
    name: attributes.name,
    tags: attributes.tags,
    description: attributes.description,
    action: attributes.action,
    redirect_url: attributes.redirectUrl,
    redirect_prefix: attributes.redirectPrefix,
    redirect_http_code: attributes.redirectHttpCode,
    admin_state_up: attributes.adminStateUp,
  };
}

export function l7RuleColumns(attributes: L7RuleDraft) {
  return {
    tags: attributes.tags,
    type: attributes.type,
    compare_type: attributes.compareType,
    field: attributes.field,
    value: attributes.value,
    invert: attributes.invert,
    admin_state_up: attributes.adminStateUp,
  };
}

/** Rows in an order, as a column has them that numbers positions from 1. */
export function positions(ids: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(ids.map((id, i) => [i + 1, id]));
}

export function poolColumns(attributes: PoolAttributes) {
  return {
    name: attributes.name,
    tags: attributes.tags,
    description: attributes.description,
    protocol: attributes.protocol,
    lb_algorithm: attributes.algorithm,
    locality: attributes.locality,
    locality_factor: attributes.localityFactor,
    session_persistence: attributes.sessionPersistence?.type,
    cookie_name: attributes.sessionPersistence?.cookieName,
    persistence_timeout: attributes.sessionPersistence?.timeoutSeconds,
    persistence_granularity: attributes.sessionPersistence?.granularity,
    slow_start: attributes.slowStartSeconds,
    when_empty: attributes.whenEmpty,
    admin_state_up: attributes.adminStateUp,
  };
}

export function memberColumns(attributes: MemberDraft) {
  return {
    name: attributes.name,
    tags: attributes.tags,
    address: attributes.address,
    protocol_port: attributes.protocolPort,
    weight: attributes.weight,
    backup: attributes.backup,
    monitor_address: attributes.monitorAddress,
    monitor_port: attributes.monitorPort,
    addresses_written: attributes.written,
    subnet_id: attributes.subnetId,
    admin_state_up: attributes.adminStateUp,
  };
}

export function healthMonitorColumns(attributes: HealthMonitorDraft) {
  const { http } = attributes;
  return {
    name: attributes.name,
    tags: attributes.tags,
    type: attributes.type,
    delay: attributes.delaySeconds,
    timeout: attributes.timeoutSeconds,
    max_retries: attributes.maxRetries,
    max_retries_down: attributes.maxRetriesDown,
    http_method: http.method,
    url_path: http.urlPath,
    expected_codes: http.expectedCodes,
    http_version: http.version,
    domain_name: http.domainName,
    admin_state_up: attributes.adminStateUp,
  };
}

export function flavorProfileColumns({ name, placement, data }: FlavorProfileDraft) {
  return {
    name,
    placement,
    vcpus: data.vcpus,
    memory_mib: data.memoryMib,
    image: data.image,
    kernel: data.kernel,
    max_connections: data.maxConnections,
  };
}

export function flavorColumns({ name, description, enabled, isDefault, profile }: FlavorDraft) {
  return { name, description, enabled, is_default: isDefault, profile: profile.id };
}

export function availabilityZoneProfileColumns({ name, placement, hosts }: AvailabilityZoneProfileDraft) {
  return { name, placement, hosts };
}

export function availabilityZoneColumns({ name, description, enabled, profile }: AvailabilityZoneDraft) {
  return { name, description, enabled, profile: profile.id };
}

/** The columns that differ; undefined when none does. */
export function changedColumns<R extends object>(before: R, after: R): Partial<R> | undefined {
  const names = Object.keys(after) as (keyof R)[];
  const changed = names.filter((name) => !isDeepStrictEqual(before[name], after[name]));
  if (changed.length === 0) return undefined;
  return Object.fromEntries(changed.map((name) => [name, after[name]])) as Partial<R>;
}
