/**
 * Members' health between the hosts, the monitor and the state database.
 *
 *     model, ports ──▶ assignments ──▶ hosts: flows for the answers ──confirmed──▶ monitor: asks, judges
 *         ▲                └── whose VM is where ──┐                                  │
 *         └──────────── state database ◀───────────┴────────── what was found ◀───────┘
 *
 * What the switches do follows from what the state database says, on all hosts alike, and after a restart as before.
 */
import type { Logger } from 'pino';
import { type ProbeAnswer, TCP_FLAG } from '../host/probe-packets.ts';
import { isAskedThroughSwitches } from '../model/health.ts';
import type { MemberHealth, Model } from '../model/types.ts';
import type { ProbeView } from '../pipeline/view.ts';
import type { Found, Store } from '../store/types.ts';
import { type Coalesced, coalesce } from './coalesce.ts';
import { createMonitor, type Monitor, type Target } from './health.ts';
import type { ManagedHost } from './managed-host.ts';
import { type Assignment, assignmentsOf, type Place, probeKey, type Territory } from './probe-targets.ts';

export interface ProbingInit {
  readonly store: Store;
  readonly logger: Logger;
  /** The hosts of this controller, by id; live. */
  readonly hosts: ReadonlyMap<string, ManagedHost>;
}

const NO_NEWS: Found = { health: {}, hosts: {} };

export class Probing {
  readonly #init: ProbingInit;
  readonly #monitor: Monitor;
  readonly #record: Coalesced;
  /** By load balancer, not yet in the state database. */
  readonly #news = new Map<string, Found>();
  #soon: NodeJS.Immediate | undefined;

  constructor(init: ProbingInit) {
    this.#init = init;
    this.#record = coalesce(
      () => this.#write(),
      (error) => init.logger.warn({ reason: error.message }, 'cannot record the health of members yet'),
    );
    this.#monitor = createMonitor({
      send: (route, packet, { introduce }) =>
        init.hosts.get(route.hostId)?.keeper.frames.probe(packet, route, introduce),
      isAlive: async (hostId) => (await init.hosts.get(hostId)?.keeper.isAlive()) ?? false,
      found: (target, health, finding) => this.#found(target, health, finding),
    });
  }

  /** Something changed: who is asked, and from where, is found out again when the switches have got what they need. */
  survey(): void {
    this.#soon ??= setImmediate(() => {
      this.#soon = undefined;
      this.#survey();
    });
  }

  /** The questions that go through a host, computed anew. */
  probesOf(hostId: string): readonly ProbeView[] {
    return probesThrough(hostId, this.#assignments());
  }

  /** A member has answered through a host, or reset a client's connection there. */
  answered(hostId: string, from: { readonly networkKey: number; readonly source: string }, answer: ProbeAnswer): void {
    if (this.#monitor.received({ hostId, ...from }, answer)) return;
    if (answer.kind === 'tcp' && (answer.flags & TCP_FLAG.rst) !== 0)
      this.#monitor.suspect(serviceOf(from.networkKey, from.source, answer.from));
  }

  /** What was last found wrong with a member; empty = nothing, or it was not asked yet. */
  finding(memberId: string): string {
    return this.#monitor.finding(memberId);
  }

  async stop(): Promise<void> {
    clearImmediate(this.#soon);
    this.#monitor.stop();
    await this.#record.stop();
  }

  get #model(): Model {
    return this.#init.store.model;
  }

  #assignments(): readonly Assignment[] {
    return assignmentsOf(this.#model, territoryOf(this.#init.hosts));
  }

  #survey(): void {
    const assignments = this.#assignments();
    for (const managed of this.#init.hosts.values()) managed.setProbes(probesThrough(managed.id, assignments));
    const ready = new Map([...this.#init.hosts.values()].map((managed) => [managed.id, managed.probes]));
    this.#monitor.want(assignments.map((one) => this.#target(one, ready)));
    this.#settleClaims(assignments);
    this.#forgetOthers(assignments);
  }

  #target({ loadBalancer, member, monitor, state, probe }: Assignment, ready: Ready): Target {
    const known = this.#model.probed.get(loadBalancer.id)?.health[member.id];
    const service = serviceOf(loadBalancer.network.key, member.address, member.protocolPort);
    const target = { loadBalancerId: loadBalancer.id, memberId: member.id, monitor, known, service };
    const port = probe?.port ?? 0;
    if (state === 'gone' || state === 'lost') return { ...target, port, via: state };
    if (probe === undefined || !ready.get(probe.hostId)?.has(probeKey(probe)))
      return { ...target, port, via: undefined };
    const { hostId, network, ofport, source, sourceMac, address, mac } = probe;
    // A VM's port knows no VLAN.
    const vlan = ofport === undefined ? network.vlan : 0;
    const ends = { source, sourceMac, target: address, targetMac: mac };
    return { ...target, port, via: { hostId, networkKey: network.key, ofport, vlan, ...ends } };
  }

  /** Says on which host members' VMs are: its controller asks them, and nobody else. */
  #settleClaims(assignments: readonly Assignment[]): void {
    for (const { loadBalancer, member, state, place } of assignments) {
      const claimed = this.#model.probed.get(loadBalancer.id)?.hosts[member.id];
      if (place !== undefined && claimed !== place.hostId) {
        this.#tell(loadBalancer.id, { health: {}, hosts: { [member.id]: place.hostId } });
      } else if (state === 'gone') this.#tell(loadBalancer.id, { health: {}, hosts: { [member.id]: undefined } });
    }
  }

  /** Nothing is known of members that nobody asks any more, and of those that are no more. */
  #forgetOthers(assignments: readonly Assignment[]): void {
    const asked = new Set(assignments.map(({ loadBalancer }) => loadBalancer.id));
    const balanced = new Set([...this.#model.balancers.values()].map(({ loadBalancerId }) => loadBalancerId));
    for (const [id, { health, hosts }] of this.#model.probed) {
      const loadBalancer = this.#model.loadBalancers.get(id);
      if (loadBalancer === undefined) continue;
      const isServed = asked.has(id) || balanced.has(id);
      const pools = loadBalancer.pools.filter((pool) => isAskedThroughSwitches(loadBalancer, pool));
      const monitored = pools.flatMap(({ members }) => members.map((one) => one.id));
      const kept = new Set(isServed ? monitored : []);
      const gone = (known: object) =>
        Object.fromEntries(Object.keys(known).flatMap((one) => (kept.has(one) ? [] : [[one, undefined]])));
      const news = { health: gone(health), hosts: gone(hosts) };
      if (Object.keys(news.health).length + Object.keys(news.hosts).length > 0) this.#tell(id, news);
    }
  }

  #found({ loadBalancerId, memberId }: Target, health: MemberHealth, finding: string | undefined): void {
    const { logger } = this.#init;
    const of = { loadBalancer: loadBalancerId, member: memberId, health };
    if (finding === '') logger.info(of, 'member is well');
    else if (finding !== undefined) logger.warn({ ...of, reason: finding }, 'member is not well');
    this.#tell(loadBalancerId, { health: { [memberId]: health }, hosts: {} });
  }

  #tell(loadBalancerId: string, news: Found): void {
    const known = this.#news.get(loadBalancerId) ?? NO_NEWS;
    const all = { health: { ...known.health, ...news.health }, hosts: { ...known.hosts, ...news.hosts } };
    this.#news.set(loadBalancerId, all);
    this.#record();
  }

  async #write(): Promise<void> {
    for (const [id, news] of this.#news) {
      this.#news.delete(id);
      await this.#init.store.setProbed(id, news).catch((error: unknown) => {
        const later = this.#news.get(id) ?? NO_NEWS;
        const all = { health: { ...news.health, ...later.health }, hosts: { ...news.hosts, ...later.hosts } };
        this.#news.set(id, all);
        throw error;
      });
    }
  }
}

function serviceOf(networkKey: number, address: string, port: number): string {
  return `${networkKey} ${address} ${port}`;
}

/** Host → the questions for which its switch has what it takes. */
type Ready = ReadonlyMap<string, ReadonlySet<string>>;

function probesThrough(hostId: string, assignments: readonly Assignment[]): readonly ProbeView[] {
  return assignments.flatMap(({ probe }) => (probe?.hostId === hostId ? [probe] : []));
}

function territoryOf(hosts: ReadonlyMap<string, ManagedHost>): Territory {
  const places = new Map<string, Place[]>();
  const present: [string, string][] = [];
  for (const { id: hostId, ports, present: loadBalancers } of hosts.values()) {
    for (const { id } of loadBalancers) present.push([hostId, id]);
    for (const { network, mac, ofport, ignored, isUp } of ports) {
      if (network === undefined || ignored !== undefined || !isUp) continue;
      const key = `${network.id} ${mac}`;
      const there = places.get(key);
      if (there === undefined) places.set(key, [{ hostId, ofport }]);
      else there.push({ hostId, ofport });
    }
  }
  const known = [...hosts.values()].map(({ id, keeper }) => [id, { isKnown: keeper.inventory !== undefined }] as const);
  return { hosts: new Map(known), places, present };
}
