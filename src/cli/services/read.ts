/** All load balancers with everything below them, as an API has them, and the same as services. */
import type {
  HealthMonitorJson,
  L7PolicyJson,
  L7RuleJson,
  ListenerJson,
  LoadBalancerJson,
  MemberJson,
  PoolJson,
} from '../../api/resources.ts';
import { compareAddresses, familyOf } from '../../model/addresses.ts';
import { transportOf } from '../../model/transport.ts';
import { enc, type Session } from '../session.ts';
import type { Service } from './service.ts';

export interface PoolTree {
  readonly pool: PoolJson;
  readonly members: readonly MemberJson[];
  readonly monitor: HealthMonitorJson | undefined;
}

export interface L7PolicyTree {
  readonly policy: L7PolicyJson;
  readonly rules: readonly L7RuleJson[];
  readonly pool: PoolTree | undefined;
}

export interface ListenerTree {
  readonly listener: ListenerJson;
  readonly pool: PoolTree | undefined;
  /** By position. */
  readonly policies: readonly L7PolicyTree[];
}

export interface LoadBalancerTree {
  readonly loadBalancer: LoadBalancerJson;
  readonly listeners: readonly ListenerTree[];
  /** All of them, those of listeners too. */
  readonly pools: readonly PoolTree[];
}

const PATH = '/v2.0/lbaas';
/** How many pools are asked for their members at a time. */
const ASKED_AT_ONCE = 8;

/** The load balancers that the query (`name=web`) names; empty: all. */
export async function readTrees(session: Session, query = ''): Promise<readonly LoadBalancerTree[]> {
  const of = query === '' ? '' : `?${query}`;
  const loadBalancers = await session.list<LoadBalancerJson>(`${PATH}/loadbalancers${of}`, 'loadbalancers');
  if (loadBalancers.length === 0) return [];
  const [only] = loadBalancers.length === 1 ? loadBalancers : [];
  const below = only === undefined ? '' : `?loadbalancer_id=${only.id}`;
  const [listeners, pools, monitors] = await Promise.all([
    session.list<ListenerJson>(`${PATH}/listeners${below}`, 'listeners'),
    session.list<PoolJson>(`${PATH}/pools${below}`, 'pools'),
    session.list<HealthMonitorJson>(`${PATH}/healthmonitors`, 'healthmonitors'),
  ]);
  const monitorOf = new Map(monitors.map((monitor) => [monitor.id, monitor]));
  const trees = await inTurns(pools, async (pool): Promise<PoolTree> => {
    const members = pool.members.length === 0 ? [] : await membersOf(session, pool.id);
    return { pool, members, monitor: monitorOf.get(pool.healthmonitor_id ?? '') };
  });
  const poolOf = new Map(trees.map((tree) => [tree.pool.id, tree]));
  const policiesOf = await readPolicies(session, listeners, poolOf);
  return loadBalancers.map((loadBalancer) => {
    const isIts = ({ loadbalancers }: ListenerJson | PoolJson) =>
      loadbalancers.some(({ id }) => id === loadBalancer.id);
    return {
      loadBalancer,
      listeners: listeners.filter(isIts).map((listener) => ({
        ...{ listener, pool: poolOf.get(listener.default_pool_id ?? '') },
        policies: policiesOf(listener),
      })),
      pools: trees.filter(({ pool }) => isIts(pool)),
    };
  });
}

/** The L7 policies of each listener. Of listeners without, as most are, nothing is asked. */
async function readPolicies(
  session: Session,
  listeners: readonly ListenerJson[],
  poolOf: ReadonlyMap<string, PoolTree>,
): Promise<(listener: ListenerJson) => readonly L7PolicyTree[]> {
  // An Octavia without L7 may leave them out.
  if (listeners.every(({ l7policies = [] }) => l7policies.length === 0)) return () => [];
  const wanted = new Set(listeners.map(({ id }) => id));
  const policies = await session.list<L7PolicyJson>(`${PATH}/l7policies`, 'l7policies');
  const trees = await inTurns(
    policies.filter(({ listener_id }) => wanted.has(listener_id)),
    async (policy): Promise<L7PolicyTree> => {
      const path = `${PATH}/l7policies/${enc(policy.id)}/rules`;
      const rules = policy.rules.length === 0 ? [] : await session.list<L7RuleJson>(path, 'rules');
      const order = policy.rules.map(({ id }) => id);
      const ordered = rules.toSorted((a, b) => order.indexOf(a.id) - order.indexOf(b.id));
      return { policy, rules: ordered, pool: poolOf.get(policy.redirect_pool_id ?? '') };
    },
  );
  return ({ id }) =>
    trees.filter(({ policy }) => policy.listener_id === id).sort((a, b) => a.policy.position - b.policy.position);
}

function membersOf(session: Session, poolId: string): Promise<readonly MemberJson[]> {
  return session.list<MemberJson>(`${PATH}/pools/${enc(poolId)}/members`, 'members');
}

async function inTurns<T, U>(items: readonly T[], action: (item: T) => Promise<U>): Promise<readonly U[]> {
  const done: U[] = [];
  for (let i = 0; i < items.length; i += ASKED_AT_ONCE) {
    done.push(...(await Promise.all(items.slice(i, i + ASKED_AT_ONCE).map(action))));
  }
  return done;
}

/** The load balancer's VIPs; Octavia has more than one since 2.26. */
export function vipsOf({ vip_address, additional_vips = [] }: LoadBalancerJson): readonly string[] {
  return [vip_address, ...additional_vips.map(({ ip_address }) => ip_address)];
}

/** What a listener is at each VIP: members of the VIP's family serve it. Where nothing serves any VIP, it is at the first. */
export function servicesOf({ loadBalancer }: LoadBalancerTree, { listener, pool }: ListenerTree): readonly Service[] {
  const services = vipsOf(loadBalancer).map((address): Service => {
    const own = (pool?.members ?? []).filter((member) => familyOf(member.address) === familyOf(address));
    own.sort((a, b) => compareAddresses(a.address, b.address) || a.protocol_port - b.protocol_port);
    return {
      name: loadBalancer.name,
      vip: { address, port: listener.protocol_port },
      transport: transportOf(listener.protocol),
      algorithm: pool?.pool.lb_algorithm ?? 'SOURCE_IP_PORT',
      sticky: pool?.pool.session_persistence?.type === 'SOURCE_IP',
      backends: own.map((member) => ({
        ...{ address: member.address, port: member.protocol_port },
        weight: member.admin_state_up ? member.weight : 0,
      })),
    };
  });
  const served = services.filter(({ backends }) => backends.length > 0);
  return served.length > 0 ? served : services.slice(0, 1);
}
