/** Where members that answer their clients themselves were found: by network and MAC. Follows the model as ModelIndex does. */
import { poolsOf } from '../model/l7.ts';
import type { LoadBalancer, Member, Model } from '../model/types.ts';
import { liveListeners, returnsDirectly } from '../pipeline/ways.ts';
import type { ModelChange } from '../store/types.ts';

export interface Residence {
  readonly loadBalancer: LoadBalancer;
  readonly member: Member;
}

/** Names an address, or a MAC, in a network. */
export const placeOf = (networkId: string, at: string): string => `${networkId} ${at}`;

/** Addresses whose MAC is another after the change, in networks where some are. */
export function* movedAddresses(change: ModelChange): Generator<readonly [networkId: string, address: string], void> {
  for (const networkId of change.neighbours) {
    const [old = {}, now = {}] = [change.previous.neighbours.get(networkId), change.model.neighbours.get(networkId)];
    for (const address in now) if (old[address] !== now[address]) yield [networkId, address];
    for (const address in old) if (now[address] === undefined) yield [networkId, address];
  }
}

export class ResidenceIndex {
  /** Place → by member key. */
  readonly #residences = new Map<string, Map<number, Residence>>();
  /** Load balancer → where its members are, by member key. */
  readonly #places = new Map<string, ReadonlyMap<number, string>>();

  constructor(model: Model) {
    for (const loadBalancer of model.loadBalancers.values()) this.#place(model, loadBalancer);
  }

  at(networkId: string, mac: string): Iterable<Residence> {
    return this.#residences.get(placeOf(networkId, mac))?.values() ?? [];
  }

  /** `withMember` answers the load balancers with a member at an address, as after the change. */
  follow(change: ModelChange, withMember: (networkId: string, address: string) => Iterable<string>): void {
    const concerned = new Set(change.loadBalancers);
    for (const [networkId, address] of movedAddresses(change)) {
      for (const id of withMember(networkId, address)) concerned.add(id);
    }
    for (const id of concerned) {
      this.#forget(id);
      const now = change.model.loadBalancers.get(id);
      if (now !== undefined) this.#place(change.model, now);
    }
  }

  #place({ neighbours }: Model, loadBalancer: LoadBalancer): void {
    const { id, network, adminStateUp } = loadBalancer;
    if (!adminStateUp || !returnsDirectly(loadBalancer)) return;
    const places = new Map<number, string>();
    for (const member of new Set(
      liveListeners(loadBalancer)
        .flatMap(poolsOf)
        .flatMap(({ members }) => members),
    )) {
      const mac = neighbours.get(network.id)?.[member.address];
      if (mac === undefined) continue;
      const place = placeOf(network.id, mac);
      places.set(member.key, place);
      const there = this.#residences.get(place) ?? new Map<number, Residence>();
      this.#residences.set(place, there.set(member.key, { loadBalancer, member }));
    }
    if (places.size > 0) this.#places.set(id, places);
  }

  #forget(loadBalancerId: string): void {
    for (const [memberKey, place] of this.#places.get(loadBalancerId) ?? []) {
      const there = this.#residences.get(place);
      if (there?.delete(memberKey) && there.size === 0) this.#residences.delete(place);
    }
    this.#places.delete(loadBalancerId);
  }
}
