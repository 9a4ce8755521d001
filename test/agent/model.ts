/** Model objects for tests of what the agent computes. */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import {
  DEFAULT_REDIRECT_HTTP_CODE,
  HEALTH_MONITOR_DEFAULTS,
  L7_POLICY_DEFAULTS,
  L7_RULE_DEFAULTS,
  LISTENER_DEFAULTS,
  LOAD_BALANCER_DEFAULTS,
  MEMBER_DEFAULTS,
  POOL_DEFAULTS,
} from '../../src/model/defaults.ts';
import {
  L7_ACTIONS,
  L7_COMPARE_TYPES,
  L7_RULE_TYPES,
  type L7Action,
  type L7Policy,
  type L7Rule,
} from '../../src/model/l7.ts';
import { regexProblem } from '../../src/model/regex.ts';
import {
  ALGORITHMS,
  type HealthMonitor,
  type Host,
  type HttpCheck,
  INSERT_HEADERS,
  LISTENER_PROTOCOLS,
  type Listener,
  LOCALITIES,
  type LoadBalancer,
  type Member,
  type MonitorType,
  type Network,
  PERSISTENCE_TYPES,
  POOL_PROTOCOLS,
  type Pool,
  type Timeouts,
} from '../../src/model/types.ts';

const BORN = { description: '', createdAt: '2026-01-01T00:00:00', updatedAt: undefined, adminStateUp: true } as const;

export const blue: Network = {
  id: 'net-blue',
  key: 1,
  name: 'blue',
  vlan: 0,
  subnets: ['10.0.0.0/24', 'fd00::/64'],
  balancerRanges: [],
  antiSpoofing: true,
  subnetNames: {},
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

/** With a rule of its own that matches every path, unless others are given. */
export function policy(id: string, action: L7Action, given: Partial<L7Policy> = {}): L7Policy {
  const isRedirect = action === 'REDIRECT_TO_URL' || action === 'REDIRECT_PREFIX';
  return {
    ...BORN,
    ...L7_POLICY_DEFAULTS,
    ...{ id, key: keyOf(id), action, redirectPool: undefined, redirectUrl: undefined, redirectPrefix: undefined },
    redirectHttpCode: isRedirect ? DEFAULT_REDIRECT_HTTP_CODE : undefined,
    rules: [rule(`${id}-any`)],
    ...given,
  };
}

export function rule(id: string, given: Partial<L7Rule> = {}): L7Rule {
  const any = { type: 'PATH', compareType: 'STARTS_WITH', value: '/' } as const;
  return { ...BORN, ...L7_RULE_DEFAULTS, ...any, id, key: keyOf(id), ...given };
}

export function loadBalancer(listeners: readonly Listener[], given: Partial<LoadBalancer> = {}): LoadBalancer {
  const referred = listeners.flatMap(({ defaultPool, l7Policies }) => [
    defaultPool,
    ...l7Policies.map(({ redirectPool }) => redirectPool),
  ]);
  const pools = [...new Set(referred)].filter((one) => one !== undefined);
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
    availabilityZone: undefined,
    listeners,
    pools,
    generation: 1,
    ...given,
  };
}

/** The load balancer with each of its pools changed, wherever it is used. */
export function withPools(balanced: LoadBalancer, change: (pool: Pool) => Pool): LoadBalancer {
  const changed = new Map(balanced.pools.map((one) => [one, change(one)]));
  const now = (one: Pool | undefined) => one && changed.get(one);
  const listeners = balanced.listeners.map((one) => ({
    ...one,
    defaultPool: now(one.defaultPool),
    l7Policies: one.l7Policies.map((its) => ({ ...its, redirectPool: now(its.redirectPool) })),
  }));
  return { ...balanced, listeners, pools: [...changed.values()] };
}

export function healthMonitor(type: MonitorType, given: Partial<HealthMonitor> = {}): HealthMonitor {
  const often = { delaySeconds: 1, timeoutSeconds: 2, maxRetries: 2 };
  return { ...BORN, ...HEALTH_MONITOR_DEFAULTS, ...often, id: 'monitor', key: 40, type, ...given };
}

const cidrs = fc.uniqueArray(
  fc.oneof(
    fc.nat(255).map((octet) => `10.${octet}.0.0/16`),
    fc.nat(255).map((group) => `fd${group.toString(16).padStart(2, '0')}::/16`),
  ),
  { maxLength: 40 },
);

const httpChecks: fc.Arbitrary<HttpCheck> = fc.record({
  method: fc.constantFrom('GET', 'HEAD', 'CONNECT'),
  urlPath: fc.stringMatching(/^\/[A-Za-z0-9._~:/?@!$&'()*+,;=%-]{0,20}$/),
  expectedCodes: fc.constantFrom('200', '200,202,404', '200-204', '100-599'),
  version: fc.constantFrom('1.0', '1.1'),
  domainName: fc.constantFrom(undefined, 'x.example'),
});

const monitors = fc
  .record({
    type: fc.constantFrom('TCP', 'HTTP', 'HTTPS', 'TLS-HELLO'),
    delaySeconds: fc.integer({ min: 1, max: 86_400 }),
    timeoutSeconds: fc.integer({ min: 1, max: 86_400 }),
    maxRetries: fc.integer({ min: 1, max: 10 }),
    maxRetriesDown: fc.integer({ min: 1, max: 10 }),
    http: httpChecks,
    adminStateUp: fc.boolean(),
  })
  .map(({ type, ...given }) => healthMonitor(type, given));

/** Members of one pool, each address with other attributes every time. */
export const memberLists = fc.uniqueArray(fc.integer({ min: 1, max: 60 }), { maxLength: 6 }).chain((octets) =>
  fc.tuple(
    ...octets.map((octet) =>
      fc
        .record({
          weight: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 256 })),
          backup: fc.boolean(),
          adminStateUp: fc.boolean(),
          monitorAddress: fc.constantFrom(undefined, '10.0.0.9', 'fd00::9'),
          monitorPort: fc.constantFrom(undefined, 8081),
          protocolPort: fc.integer({ min: 1, max: 65_535 }),
        })
        .map((given) => member(octet % 3 === 0 ? `fd00::${octet}` : `10.0.0.${octet}`, given)),
    ),
  ),
);

const pools = (id: string): fc.Arbitrary<Pool> =>
  fc
    .record({
      members: memberLists,
      protocol: fc.constantFrom(...POOL_PROTOCOLS),
      algorithm: fc.constantFrom(...ALGORITHMS),
      locality: fc.constantFrom(...LOCALITIES),
      localityFactor: fc.integer({ min: 1, max: 256 }),
      slowStartSeconds: fc.constantFrom(0, 30, 3600),
      healthMonitor: fc.option(monitors, { nil: undefined }),
      persistence: fc.constantFrom(undefined, ...PERSISTENCE_TYPES),
    })
    .map(({ members: its, persistence, ...given }) =>
      pool(id, its, {
        ...given,
        sessionPersistence: persistence && {
          type: persistence,
          cookieName: persistence === 'APP_COOKIE' ? 'JSESSIONID' : undefined,
        },
      }),
    );

const timeouts = fc.constantFrom<Timeouts>(
  { clientDataMs: 50_000, memberConnectMs: 5_000, memberDataMs: 50_000, tcpInspectMs: 0 },
  { clientDataMs: 0, memberConnectMs: 1, memberDataMs: 2_073_600_000, tcpInspectMs: 2_073_600_000 },
);

const TOKEN = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,12}$/;
const rules = fc
  .record({
    type: fc.constantFrom(...L7_RULE_TYPES),
    compareType: fc.constantFrom(...L7_COMPARE_TYPES),
    field: fc.stringMatching(TOKEN),
    value: fc.oneof(fc.stringMatching(/^[ -~]{1,20}$/), fc.constantFrom('-f', '--', '-i', '"a b"', '$HOME', '%[path]')),
    invert: fc.boolean(),
    adminStateUp: fc.boolean(),
  })
  .map(({ value, ...given }) => ({ ...given, value: regexProblem(value) === undefined ? value : '^/[a-z]+$' }));

const policies = (id: string, both: readonly Pool[]): fc.Arbitrary<L7Policy> =>
  fc
    .record({
      action: fc.constantFrom(...L7_ACTIONS),
      redirectPool: fc.constantFrom(...both),
      url: fc.stringMatching(/^http:\/\/[A-Za-z0-9._~:/?#[\]@!$&'()*+,;=%-]{1,20}$/),
      redirectHttpCode: fc.constantFrom(301, 308),
      rules: fc.array(rules, { maxLength: 3 }),
      adminStateUp: fc.boolean(),
    })
    .map(({ action, url, ...given }) =>
      policy(id, action, {
        ...{ ...given, redirectUrl: url, redirectPrefix: url },
        rules: given.rules.map((one, i) => rule(`${id}-${i}`, one)),
      }),
    );

/** Load balancers of two pools and four listeners with whatever the model allows. */
export const balancedPools: fc.Arbitrary<LoadBalancer> = fc
  .tuple(pools('pool-a'), pools('pool-b'))
  .chain((both) =>
    fc.tuple(
      ...[1, 2, 3, 4].map((number) =>
        fc
          .record({
            protocol: fc.constantFrom(...LISTENER_PROTOCOLS),
            connectionLimit: fc.constantFrom(-1, 1, 10_000_000),
            insertHeaders: fc.subarray([...INSERT_HEADERS]),
            timeouts,
            allowedCidrs: cidrs,
            defaultPool: fc.constantFrom(...both, undefined),
            l7Policies: fc.tuple(...['a', 'b', 'c'].map((name) => policies(`${number}${name}`, both))),
          })
          .map(({ insertHeaders, l7Policies, ...given }) =>
            listener(`listener-${number}`, given.defaultPool, {
              ...given,
              protocolPort: number,
              insertHeaders: given.protocol === 'HTTP' ? insertHeaders : [],
              l7Policies: given.protocol === 'HTTP' ? l7Policies : [],
            }),
          ),
      ),
    ),
  )
  .map((listeners) => loadBalancer(listeners));
