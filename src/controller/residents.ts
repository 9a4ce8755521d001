/** Which of a host's VMs are members that answer their clients themselves. Pure. */
import type { LoadBalancer, Member, Model } from '../model/types.ts';
import type { PortView, ResidentView } from '../pipeline/view.ts';
import { liveListeners, returnsDirectly } from '../pipeline/ways.ts';

interface Residence {
  readonly loadBalancer: LoadBalancer;
  readonly member: Member;
}

/** Network and MAC → members that were found there. */
type Directory = ReadonlyMap<string, readonly Residence[]>;

/**
 * The VMs behind these ports that are members, load balancers and members by key. A member is known by the MAC that its
 * address was found at, so it needs no registration and is followed when it moves.
 */
export function residentsOf(model: Model, ports: readonly PortView[]): readonly ResidentView[] {
  const directory = directoryOf(model);
  if (directory.size === 0) return [];
  const residents = ports.flatMap(({ mac, ofport, network }) =>
    (directory.get(`${network.id} ${mac}`) ?? []).map((residence) => ({ ...residence, mac, ofport })),
  );
  return residents.sort((a, b) => a.loadBalancer.key - b.loadBalancer.key || a.member.key - b.member.key);
}

/** All hosts ask at every change; most changes touch neither load balancers nor neighbours. */
const known = new WeakMap<Model['loadBalancers'], { neighbours: Model['neighbours']; directory: Directory }>();

function directoryOf({ loadBalancers, neighbours }: Model): Directory {
  const last = known.get(loadBalancers);
  if (last?.neighbours === neighbours) return last.directory;
  const directory = new Map<string, Residence[]>();
  for (const loadBalancer of loadBalancers.values()) {
    if (!loadBalancer.adminStateUp || !returnsDirectly(loadBalancer)) continue;
    const networkId = loadBalancer.network.id;
    const members = new Set(liveListeners(loadBalancer).flatMap(({ defaultPool }) => defaultPool.members));
    for (const member of members) {
      const mac = neighbours.get(networkId)?.[member.address];
      if (mac === undefined) continue;
      const place = `${networkId} ${mac}`;
      const there = directory.get(place);
      if (there === undefined) directory.set(place, [{ loadBalancer, member }]);
      else there.push({ loadBalancer, member });
    }
  }
  known.set(loadBalancers, { neighbours, directory });
  return directory;
}
