/** For which pools of a host the controller chooses, and out of whom; and the flows by which the switch asks. Pure. */
import { familyOf } from '../model/addresses.ts';
import type { Algorithm, Member } from '../model/types.ts';
import type { Flow } from '../openflow/index.ts';
import { shareOf, usable } from './balancer.ts';
import { cookieOf, poolGroup } from './ids.ts';
import { memberSurroundings, vmsOf } from './plan.ts';
import { instantiate, type Variables } from './templates.ts';
import type { BalancerView, HostView } from './view.ts';
import { type LiveListener, liveListeners, wayOf } from './ways.ts';

export interface Choice {
  readonly algorithm: Algorithm;
  /** Those that may be chosen now, with their shares as weights. */
  readonly members: readonly Member[];
}

const asked = (balancer: BalancerView): readonly LiveListener[] =>
  liveListeners(balancer.loadBalancer).filter((listener) => wayOf(balancer, listener) === 'ask');

/** Whether the controller chooses for anybody on the host. */
export function isAskedBy({ balancers }: HostView): boolean {
  return balancers.some((balancer) => asked(balancer).length > 0);
}

/** By group, as register 7 has it where the switch asks. */
export function choicesOf(view: HostView): ReadonlyMap<number, Choice> {
  const choices = new Map<number, Choice>();
  const isHoused = vmsOf(view);
  for (const balancer of view.balancers) {
    const { vips } = balancer.loadBalancer;
    const surroundings = memberSurroundings(view, balancer.loadBalancer, isHoused);
    for (const { defaultPool: pool } of asked(balancer)) {
      for (const family of new Set(vips.map(familyOf))) {
        const members = usable(pool, family, surroundings).map((member) => ({
          ...member,
          weight: shareOf(pool, member, surroundings).weight,
        }));
        choices.set(poolGroup(pool.key, family), { algorithm: pool.algorithm, members });
      }
    }
  }
  return choices;
}

/** The flow by which the switch asks. It runs out within two seconds unless it is put again. */
export function leaseFlow(): Flow {
  return lease('lease', {});
}

/** The flow by which connections from a port are chosen by the slot table. It runs out in two to three seconds. */
export function deniedFlow(port: number): Flow {
  return lease('lease_denied', { port });
}

function lease(unit: string, variables: Variables): Flow {
  const [flow] = instantiate(unit, variables);
  return { ...flow!, cookie: cookieOf('lease', 0) };
}
