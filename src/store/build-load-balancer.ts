import { LISTENER_DEFAULTS, LOAD_BALANCER_DEFAULTS, POOL_DEFAULTS, TIMEOUT_DEFAULTS } from '../model/defaults.ts';
import type { L7Action, L7CompareType, L7Policy, L7Rule, L7RuleType } from '../model/l7.ts';
import type {
  Algorithm,
  AvailabilityZone,
  HealthMonitor,
  HttpCheck,
  InsertHeader,
  Listener,
  ListenerProtocol,
  LoadBalancer,
  Locality,
  LookupMode,
  Member,
  MonitorType,
  Network,
  PersistenceType,
  Placement,
  Pool,
  PoolProtocol,
  ReturnPath,
  SessionPersistence,
  Timeouts,
  UntilReady,
  WhenEmpty,
} from '../model/types.ts';
import type { Row } from '../ovsdb/index.ts';
import { ipv4First } from './build-objects.ts';
import type { HealthMonitorTable, ListenerTable, PoolTable, Rows } from './rows.ts';
import { share } from './share.ts';

/**
 * The load balancer of this row with everything below it, sharing with `previous` what did not change: if nothing did,
 * `previous` itself. Children are in the order of their creation (their keys).
 */
export function buildLoadBalancer(
  rows: Rows,
  id: string,
  context: {
    readonly previous: LoadBalancer | undefined;
    readonly networks: ReadonlyMap<string, Network>;
    readonly zones: ReadonlyMap<string, AvailabilityZone>;
  },
): LoadBalancer | undefined {
  const row = rows.loadBalancers.get(id);
  const network = row === undefined ? undefined : context.networks.get(row.network);
  if (row === undefined || network === undefined) return undefined;
  const { previous } = context;
  const oldPools = byId(previous?.pools);
  const oldListeners = byId(previous?.listeners);
  const pools = inOrder(row.pools, (poolId) => buildPool(rows, poolId, oldPools.get(poolId)));
  const poolsNow = byId(pools);
  const listeners = inOrder(row.listeners, (listenerId) =>
    buildListener(rows, listenerId, { previous: oldListeners.get(listenerId), pools: poolsNow }),
  );
  return share<LoadBalancer>(previous, {
    id,
    key: row.key,
    name: row.name,
    description: row.description,
    owner: row.owner,
    network,
    vips: ipv4First(row.vips.flatMap((vip) => rows.vips.get(vip)?.address ?? [])),
    vipSubnetId: row.vip_subnet_id,
    placement: row.placement as Placement,
    lookupMode: (row.lookup_mode as LookupMode | undefined) ?? LOAD_BALANCER_DEFAULTS.lookupMode,
    returnPath: (row.return_path as ReturnPath | undefined) ?? LOAD_BALANCER_DEFAULTS.returnPath,
    untilReady: (row.until_ready as UntilReady | undefined) ?? LOAD_BALANCER_DEFAULTS.untilReady,
    flavorId: row.flavor,
    availabilityZone: row.availability_zone === undefined ? undefined : context.zones.get(row.availability_zone),
    adminStateUp: row.admin_state_up,
    tags: row.tags,
    listeners,
    pools,
    generation: row.generation,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  });
}

function buildListener(
  rows: Rows,
  id: string,
  context: { readonly previous: Listener | undefined; readonly pools: ReadonlyMap<string, Pool> },
): Listener | undefined {
  const row = rows.listeners.get(id);
  if (row === undefined) return undefined;
  const { previous, pools } = context;
  const oldPolicies = byId(previous?.l7Policies);
  // Positions are the keys, so these come in their order.
  const policies = Object.values(row.l7_policies).map((policyId) =>
    buildL7Policy(rows, policyId, { previous: oldPolicies.get(policyId), pools }),
  );
  return share<Listener>(previous, {
    id,
    key: row.key,
    name: row.name,
    description: row.description,
    protocol: row.protocol as ListenerProtocol,
    protocolPort: row.protocol_port,
    adminStateUp: row.admin_state_up,
    tags: row.tags,
    connectionLimit: row.connection_limit ?? LISTENER_DEFAULTS.connectionLimit,
    insertHeaders: row.insert_headers as readonly InsertHeader[],
    omittedHeaders: row.omitted_headers as readonly InsertHeader[],
    timeouts: share(previous?.timeouts, timeouts(row)),
    allowedCidrs: ipv4First(row.allowed_cidrs),
    defaultPool: row.default_pool === undefined ? undefined : pools.get(row.default_pool),
    l7Policies: policies.filter((policy) => policy !== undefined),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  });
}

function buildL7Policy(
  rows: Rows,
  id: string,
  context: { readonly previous: L7Policy | undefined; readonly pools: ReadonlyMap<string, Pool> },
): L7Policy | undefined {
  const row = rows.l7Policies.get(id);
  if (row === undefined) return undefined;
  const { previous, pools } = context;
  const oldRules = byId(previous?.rules);
  return share<L7Policy>(previous, {
    id,
    key: row.key,
    name: row.name,
    description: row.description,
    action: row.action as L7Action,
    redirectPool: row.redirect_pool === undefined ? undefined : pools.get(row.redirect_pool),
    redirectUrl: row.redirect_url,
    redirectPrefix: row.redirect_prefix,
    redirectHttpCode: row.redirect_http_code,
    rules: inOrder(row.rules, (ruleId) => buildL7Rule(rows, ruleId, oldRules.get(ruleId))),
    adminStateUp: row.admin_state_up,
    tags: row.tags,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  });
}

function buildL7Rule(rows: Rows, id: string, previous: L7Rule | undefined): L7Rule | undefined {
  const row = rows.l7Rules.get(id);
  if (row === undefined) return undefined;
  return share<L7Rule>(previous, {
    id,
    key: row.key,
    type: row.type as L7RuleType,
    compareType: row.compare_type as L7CompareType,
    field: row.field,
    value: row.value,
    invert: row.invert,
    adminStateUp: row.admin_state_up,
    tags: row.tags,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  });
}

function timeouts({ timeouts_ms: stored }: Row<typeof ListenerTable>): Timeouts {
  return {
    clientDataMs: stored.client_data ?? TIMEOUT_DEFAULTS.clientDataMs,
    memberConnectMs: stored.member_connect ?? TIMEOUT_DEFAULTS.memberConnectMs,
    memberDataMs: stored.member_data ?? TIMEOUT_DEFAULTS.memberDataMs,
    tcpInspectMs: stored.tcp_inspect ?? TIMEOUT_DEFAULTS.tcpInspectMs,
  };
}

function buildPool(rows: Rows, id: string, previous: Pool | undefined): Pool | undefined {
  const row = rows.pools.get(id);
  if (row === undefined) return undefined;
  const oldMembers = byId(previous?.members);
  return share<Pool>(previous, {
    id,
    key: row.key,
    name: row.name,
    description: row.description,
    protocol: row.protocol as PoolProtocol,
    algorithm: row.lb_algorithm as Algorithm,
    locality: (row.locality as Locality | undefined) ?? POOL_DEFAULTS.locality,
    localityFactor: row.locality_factor ?? POOL_DEFAULTS.localityFactor,
    sessionPersistence: sessionPersistence(row, previous?.sessionPersistence),
    slowStartSeconds: row.slow_start,
    whenEmpty: (row.when_empty as WhenEmpty | undefined) ?? POOL_DEFAULTS.whenEmpty,
    healthMonitor:
      row.health_monitor === undefined
        ? undefined
        : buildHealthMonitor(rows, row.health_monitor, previous?.healthMonitor),
    adminStateUp: row.admin_state_up,
    tags: row.tags,
    members: inOrder(row.members, (memberId) => buildMember(rows, memberId, oldMembers.get(memberId))),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  });
}

function sessionPersistence(
  row: Row<typeof PoolTable>,
  previous: SessionPersistence | undefined,
): SessionPersistence | undefined {
  if (row.session_persistence === undefined) return undefined;
  return share(previous, {
    type: row.session_persistence as PersistenceType,
    cookieName: row.cookie_name,
    ...(row.persistence_timeout !== undefined && { timeoutSeconds: row.persistence_timeout }),
    ...(row.persistence_granularity !== undefined && { granularity: row.persistence_granularity }),
  });
}

function buildHealthMonitor(rows: Rows, id: string, previous: HealthMonitor | undefined): HealthMonitor | undefined {
  const row = rows.healthMonitors.get(id);
  if (row === undefined) return undefined;
  return share<HealthMonitor>(previous, {
    id,
    key: row.key,
    name: row.name,
    type: row.type as MonitorType,
    delaySeconds: row.delay,
    timeoutSeconds: row.timeout,
    maxRetries: row.max_retries,
    maxRetriesDown: row.max_retries_down,
    http: share(previous?.http, httpCheck(row)),
    adminStateUp: row.admin_state_up,
    tags: row.tags,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  });
}

function httpCheck(row: Row<typeof HealthMonitorTable>): HttpCheck {
  return {
    method: row.http_method,
    urlPath: row.url_path,
    expectedCodes: row.expected_codes,
    version: row.http_version as HttpCheck['version'],
    domainName: row.domain_name,
  };
}

function buildMember(rows: Rows, id: string, previous: Member | undefined): Member | undefined {
  const row = rows.members.get(id);
  if (row === undefined) return undefined;
  return share<Member>(previous, {
    id,
    key: row.key,
    name: row.name,
    address: row.address,
    protocolPort: row.protocol_port,
    weight: row.weight,
    backup: row.backup,
    monitorAddress: row.monitor_address,
    monitorPort: row.monitor_port,
    written: share(previous?.written, row.addresses_written),
    subnetId: row.subnet_id,
    adminStateUp: row.admin_state_up,
    tags: row.tags,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  });
}

function byId<T extends { readonly id: string }>(objects: readonly T[] = []): ReadonlyMap<string, T> {
  return new Map(objects.map((object) => [object.id, object]));
}

function inOrder<T extends { readonly key: number }>(
  ids: readonly string[],
  build: (id: string) => T | undefined,
): readonly T[] {
  return ids
    .map(build)
    .filter((object) => object !== undefined)
    .sort((a, b) => a.key - b.key);
}
