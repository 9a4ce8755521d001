/** Services and trees as the document of `hostlb apply`. */
import type { NetworkJson } from '../../api/resources.ts';
import { familyOf } from '../../model/addresses.ts';
import {
  DEFAULT_REDIRECT_HTTP_CODE,
  HEALTH_MONITOR_DEFAULTS,
  L7_RULE_DEFAULTS,
  LISTENER_DEFAULTS,
  LOAD_BALANCER_DEFAULTS,
  MEMBER_DEFAULTS,
  POOL_DEFAULTS,
  TIMEOUT_DEFAULTS,
} from '../../model/defaults.ts';
import type { L7PolicyTree, LoadBalancerTree, PoolTree } from '../services/read.ts';
import { vipsOf } from '../services/read.ts';
import type { Service } from '../services/service.ts';

type Json = Readonly<Record<string, unknown>>;

export interface ServicesOptions {
  /** The network with all of these VIPs. */
  readonly networkOf: (vips: readonly string[]) => string;
  readonly placement: string | undefined;
}

/**
 * One load balancer per name, with a VIP of each family: services at further VIPs get one of their own, with the VIP in its
 * name.
 */
export function servicesDocument(
  services: readonly Service[],
  { networkOf, placement }: ServicesOptions,
): { readonly load_balancers: readonly Json[] } {
  const groups = new Map<string, { readonly vips: string[]; readonly services: Service[] }>();
  for (const service of services) {
    const { name, vip } = service;
    const first = groups.get(name) ?? { vips: [], services: [] };
    const fits = first.vips.every((own) => own === vip.address || familyOf(own) !== familyOf(vip.address));
    const key = fits ? name : `${name}-${vip.address}`;
    const group = fits ? first : (groups.get(key) ?? { vips: [], services: [] });
    groups.set(key, group);
    if (!group.vips.includes(vip.address)) group.vips.push(vip.address);
    group.services.push(service);
  }
  return {
    load_balancers: [...groups].map(([name, { vips, services: own }]) => ({
      ...{ name, network: networkOf(vips), vips, placement },
      listeners: listenersOf(own),
    })),
  };
}

/** Services of both families at one port are one listener, whose pool has all their members. */
function listenersOf(services: readonly Service[]): readonly Json[] {
  const byPort = new Map<string, readonly Service[]>();
  for (const service of services) {
    const key = `${service.transport} ${service.vip.port}`;
    byPort.set(key, [...(byPort.get(key) ?? []), service]);
  }
  return [...byPort.values()].map((own) => {
    const [{ transport, vip, algorithm, sticky }] = own as readonly [Service, ...Service[]];
    const members = own.flatMap(({ backends }) =>
      backends.map(({ address, port, weight }) => ({ address, protocol_port: port, weight })),
    );
    const persistence = sticky ? { session_persistence: { type: 'SOURCE_IP' } } : {};
    return {
      ...{ protocol: transport.toUpperCase(), protocol_port: vip.port },
      default_pool: { lb_algorithm: algorithm, ...persistence, members },
    };
  });
}

/** Attribute → what it is when left out; those that have no default are always written. */
const { lookupMode, returnPath, untilReady } = LOAD_BALANCER_DEFAULTS;
const LOAD_BALANCER = {
  ...{
    description: '',
    admin_state_up: true,
    lookup_mode: lookupMode,
    return_path: returnPath,
    until_ready: untilReady,
  },
};
const { clientDataMs, memberConnectMs, memberDataMs, tcpInspectMs } = TIMEOUT_DEFAULTS;
const LISTENER = {
  ...{ name: '', description: '', protocol: undefined, protocol_port: undefined, admin_state_up: true },
  ...{ connection_limit: LISTENER_DEFAULTS.connectionLimit, timeout_client_data: clientDataMs },
  ...{ timeout_member_connect: memberConnectMs, timeout_member_data: memberDataMs },
  ...{ timeout_tcp_inspect: tcpInspectMs, allowed_cidrs: null },
};
const { locality, localityFactor, slowStartSeconds, whenEmpty } = POOL_DEFAULTS;
const POOL = {
  ...{ name: '', description: '', protocol: undefined, lb_algorithm: undefined, admin_state_up: true },
  ...{ locality, locality_factor: localityFactor, slow_start: slowStartSeconds, when_empty: whenEmpty },
};
const L7_POLICY = {
  ...{ name: '', description: '', action: undefined, admin_state_up: true },
  ...{ redirect_url: null, redirect_prefix: null, redirect_http_code: null },
};
const L7_RULE = {
  ...{ type: undefined, compare_type: undefined, key: null, value: undefined },
  ...{ invert: L7_RULE_DEFAULTS.invert, admin_state_up: true },
};
const { weight, backup } = MEMBER_DEFAULTS;
const MEMBER = {
  ...{ name: '', address: undefined, protocol_port: undefined, weight, backup, admin_state_up: true },
  ...{ monitor_address: null, monitor_port: null },
};
const MONITOR = {
  ...{ name: '', type: undefined, delay: undefined, timeout: undefined, max_retries: undefined },
  ...{ max_retries_down: HEALTH_MONITOR_DEFAULTS.maxRetriesDown, admin_state_up: true, http_method: null },
  ...{ url_path: null, expected_codes: null, http_version: null, domain_name: null },
};

/** All networks and load balancers. `flavors`: name by id. */
export function treesDocument(
  trees: readonly LoadBalancerTree[],
  { networks, flavors }: { readonly networks: readonly NetworkJson[]; readonly flavors: ReadonlyMap<string, string> },
): Json {
  const nameOf = new Map(networks.map(({ id, name }) => [id, name]));
  return {
    networks: networks.map(({ id: _id, balancer_range: range, anti_spoofing: guarded, ...network }) => ({
      ...network,
      ...(range.length === 0 ? {} : { balancer_range: range }),
      ...(guarded ? {} : { anti_spoofing: false }),
    })),
    load_balancers: trees.map((tree) => {
      const { loadBalancer } = tree;
      const flavor = flavors.get(loadBalancer.flavor_id ?? '');
      const { availability_zone: zone } = loadBalancer;
      return {
        name: loadBalancer.name,
        ...(loadBalancer.project_id === '' ? {} : { owner: loadBalancer.project_id }),
        network: nameOf.get(loadBalancer.vip_network_id) ?? loadBalancer.vip_network_id,
        vips: vipsOf(loadBalancer),
        placement: loadBalancer.provider,
        ...(flavor === undefined ? {} : { flavor }),
        ...(zone === null ? {} : { availability_zone: zone }),
        ...kept(loadBalancer, LOAD_BALANCER),
        ...balancingOf(tree),
      };
    }),
  };
}

/** Pools that are used once stand where they are used; others beside the listeners, by name. */
function balancingOf({ listeners, pools }: LoadBalancerTree): Json {
  const used = listeners.flatMap(({ pool, policies }) => [pool, ...policies.map((policy) => policy.pool)]);
  const apart = pools.filter((pool) => used.filter((one) => one === pool).length !== 1);
  const nameIn = nameAmong(apart);
  const placed = (pool: PoolTree): Json | string => (apart.includes(pool) ? nameIn(pool) : poolOf(pool));
  return {
    listeners: listeners.map(({ listener, pool, policies }) => ({
      ...kept(listener, LISTENER),
      ...(Object.keys(listener.insert_headers).length === 0 ? {} : { insert_headers: listener.insert_headers }),
      ...(pool === undefined ? {} : { default_pool: placed(pool) }),
      ...(policies.length === 0 ? {} : { l7policies: policies.map((policy) => policyOf(policy, placed)) }),
    })),
    ...(apart.length === 0 ? {} : { pools: apart.map((pool) => ({ ...poolOf(pool), name: nameIn(pool) })) }),
  };
}

function policyOf({ policy, rules, pool }: L7PolicyTree, placed: (pool: PoolTree) => Json | string): Json {
  const { redirect_http_code: code, ...others } = kept(policy, L7_POLICY);
  return {
    ...others,
    ...(code === undefined || code === DEFAULT_REDIRECT_HTTP_CODE ? {} : { redirect_http_code: code }),
    ...(pool === undefined ? {} : { redirect_pool: placed(pool) }),
    rules: rules.map((rule) => kept(rule, L7_RULE)),
  };
}

/** What listeners and L7 policies call each by: its name, or its id where that would not tell which. */
function nameAmong(pools: readonly PoolTree[]): (pool: PoolTree) => string {
  const isTold = (name: string) => name !== '' && pools.filter((other) => other.pool.name === name).length === 1;
  return ({ pool: { id, name } }) => (isTold(name) ? name : id);
}

function poolOf({ pool, members, monitor }: PoolTree): Json {
  const { session_persistence: persistence } = pool;
  const said = Object.entries(persistence ?? {}).filter(([, value]) => value !== null);
  return {
    ...kept(pool, POOL),
    ...(persistence ? { session_persistence: Object.fromEntries(said) } : {}),
    ...(monitor === undefined ? {} : { healthmonitor: kept(monitor, MONITOR) }),
    members: members.map((member) => kept(member, MEMBER)),
  };
}

/** The object's attributes that differ from what they are when left out, and its tags. */
function kept(object: { readonly tags: readonly string[] }, defaults: Json): Json {
  const given = object as unknown as Json;
  const differs = ([key, byDefault]: readonly [string, unknown]) =>
    given[key] !== byDefault && given[key] !== undefined;
  const keys = [
    ...Object.entries(defaults)
      .filter(differs)
      .map(([key]) => key),
    ...(object.tags.length > 0 ? ['tags'] : []),
  ];
  return Object.fromEntries(keys.map((key) => [key, given[key]]));
}
