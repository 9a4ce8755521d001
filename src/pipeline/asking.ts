/** For which pools of a host the controller chooses or hears what was chosen, and out of whom; and the flows by which the switch asks. Pure. */
import { type Family, familyOf } from '../model/addresses.ts';
import { poolsOf } from '../model/l7.ts';
import type { Algorithm, Listener, Member, Pool } from '../model/types.ts';
import type { Flow } from '../openflow/index.ts';
import { keeping, type MemberSurroundings, shareOf, usable } from './balancer.ts';
import { cookieOf, poolGroup } from './ids.ts';
import { memberSurroundings, vmsOf } from './plan.ts';
import { type Persistence, persistenceOf } from './sessions.ts';
import { instantiate, type Variables } from './templates.ts';
import type { BalancerView, HostView } from './view.ts';
import { liveListeners, type Way, wayOf } from './ways.ts';

export interface Choice {
  readonly algorithm: Algorithm;
  /** Those that may be chosen now, with their shares as weights. */
  readonly members: readonly Member[];
  /** Where clients stay with their members: how, and the keys of the members that may keep theirs. */
  readonly persistence: (Persistence & { readonly keeping: ReadonlySet<number> }) | undefined;
}

const heard = (balancer: BalancerView): readonly Listener[] =>
  liveListeners(balancer.loadBalancer).filter((listener) => HEARD.has(wayOf(balancer, listener)));
const HEARD: ReadonlySet<Way> = new Set(['ask', 'stick', 'stick_ask']);

/** Whether the controller chooses for anybody on the host, or hears of choices. */
export function isHeardBy({ balancers }: HostView): boolean {
  return balancers.some((balancer) => heard(balancer).length > 0);
}

/** By group, as register 7 has it where the controller is asked, or hears. */
export function choicesOf(view: HostView): ReadonlyMap<number, Choice> {
  const choices = new Map<number, Choice>();
  const isHoused = vmsOf(view);
  for (const balancer of view.balancers) {
    const listeners = heard(balancer);
    if (listeners.length === 0) continue;
    const { vips } = balancer.loadBalancer;
    const surroundings = memberSurroundings(view, balancer.loadBalancer, isHoused);
    for (const pool of listeners.flatMap(poolsOf)) {
      for (const family of new Set(vips.map(familyOf))) {
        choices.set(poolGroup(pool.key, family), choiceOf(pool, family, surroundings));
      }
    }
  }
  return choices;
}

function choiceOf(pool: Pool, family: Family, surroundings: MemberSurroundings): Choice {
  const { algorithm, sessionPersistence } = pool;
  const members = usable(pool, family, surroundings).map((member) => ({
    ...member,
    weight: shareOf(pool, member, surroundings).weight,
  }));
  if (sessionPersistence === undefined) return { algorithm, members, persistence: undefined };
  const kept = new Set(keeping(pool, family, surroundings).map(({ key }) => key));
  return { algorithm, members, persistence: { ...persistenceOf(sessionPersistence, family), keeping: kept } };
}

/** The flows by which the switch asks, and tells what it chose. They run out within two seconds unless they are put again. */
export function leaseFlows(): readonly Flow[] {
  return lease('lease', {});
}

/** The flows by which connections from a port are chosen by the slot table, unheard. They run out in two to three seconds. */
export function deniedFlows(port: number): readonly Flow[] {
  return lease('lease_denied', { port });
}

function lease(unit: string, variables: Variables): readonly Flow[] {
  return instantiate(unit, variables).map((flow) => ({ ...flow, cookie: cookieOf('lease', 0) }));
}
