/**
 * Wires the state database, the hosts and the prober together.
 *
 *     store ── change ──┐                        ┌── claim ── hosts' switches
 *                       ▼                        ▼
 *     hosts ─ inventory ─▶ refresh: lifecycle, view ─▶ host.setView    prober ─▶ store.setNeighbours
 *
 * It holds nothing that a restart would lose.
 */
import type { Logger } from 'pino';
import { ModelError } from '../model/errors.ts';
import type { Host, Model } from '../model/types.ts';
import { probeMac } from '../model/vip-mac.ts';
import type { Desired, SharedEntries } from '../pipeline/desired.ts';
import { describeContents, describeDifference, type SwitchContents } from '../pipeline/text.ts';
import { addressesOf } from '../pipeline/ways.ts';
import type { ModelChange, Store } from '../store/types.ts';
import { type Coalesced, coalesce } from './coalesce.ts';
import { ManagedHost } from './managed-host.ts';
import { createProber, type Prober, type Wanted } from './neighbours.ts';
import type { ControllerOptions } from './options.ts';
import type { ClassifiedPort } from './ports.ts';
import { Probing } from './probing.ts';
import { hostsTouched } from './touched.ts';

export interface ControllerInit {
  readonly store: Store;
  readonly options: Pick<ControllerOptions, 'hosts' | 'tls' | 'lingerMs' | 'announceMs' | 'auditMs'>;
  readonly logger: Logger;
}

export class Controller {
  readonly #init: ControllerInit;
  readonly #hosts = new Map<string, ManagedHost>();
  readonly #prober: Prober;
  readonly #probing: Probing;
  readonly #shared: SharedEntries = new WeakMap();
  readonly #dirty = new Set<string>();
  #wanting: NodeJS.Immediate | undefined;
  /** Hosts that are being stopped. */
  readonly #leaving = new Set<Promise<void>>();
  #macs = new Set<string>();
  /** Network → address → MAC, not yet in the state database. */
  readonly #found = new Map<string, Readonly<Record<string, string | undefined>>>();
  readonly #recordFound: Coalesced;
  readonly #onChange = (change: ModelChange) => this.#modelChanged(change);

  constructor(init: ControllerInit) {
    this.#init = init;
    this.#recordFound = coalesce(
      () => this.#writeFound(),
      (error) => init.logger.warn({ reason: error.message }, 'cannot record members yet'),
    );
    this.#probing = new Probing({ store: init.store, logger: init.logger, hosts: this.#hosts });
    this.#prober = createProber({
      ask: (hostId, networkId, address) => this.#ask(hostId, networkId, address),
      learnt: (networkId, address, mac) => this.#learnt(networkId, address, mac),
    });
  }

  /** Begins to keep the hosts of the model. The store must have been started. */
  start(): void {
    this.#init.store.on('change', this.#onChange);
    for (const host of this.#model.hosts.values()) this.#addHost(host);
  }

  /** Lets go of the hosts; their switches go on as they are. */
  async stop(): Promise<void> {
    this.#init.store.off('change', this.#onChange);
    clearImmediate(this.#wanting);
    this.#prober.stop();
    await Promise.all([this.#recordFound.stop(), this.#probing.stop()]);
    await Promise.all([...[...this.#hosts.values()].map((host) => host.stop({ leave: false })), ...this.#leaving]);
    this.#hosts.clear();
  }

  /** The hosts that this controller keeps, by name. */
  host(name: string): ManagedHost | undefined {
    return [...this.#hosts.values()].find(({ host }) => host.name === name);
  }

  /** VM ports of all hosts, as last seen. */
  *ports(): Generator<ClassifiedPort & { readonly host: Host }, void> {
    for (const { host, ports } of this.#hosts.values()) for (const port of ports) yield { ...port, host };
  }

  /** How long a balancer took until it served; see ManagedHost. */
  readyMs(hostId: string, loadBalancerId: string): number | undefined {
    return this.#hosts.get(hostId)?.readyMs(loadBalancerId);
  }

  /** What was last found wrong with a member; see Probing. */
  finding(memberId: string): string {
    return this.#probing.finding(memberId);
  }

  /** The host's desired flows and groups in ovs-ofctl syntax. Throws ModelError when this controller does not keep it. */
  flows(hostName: string): string {
    return describeContents(contentsOf(this.#require(hostName).keeper.desired));
  }

  /**
   * What the host's switch holds of ours, against what it should; lines with `!` tell how that differs from what is
   * computed from scratch, which is never the case unless there is a defect. Throws ModelError, HostError.
   */
  async flowDiff(hostName: string): Promise<{ readonly inSync: boolean; readonly text: string }> {
    const managed = this.#require(hostName);
    const installed = await managed.keeper.readSwitch();
    const desired = contentsOf(managed.keeper.desired);
    const defects = describeDifference(
      contentsOf(managed.fromScratch(this.#model, this.#probing.probesOf(managed.id))),
      desired,
    );
    const text = describeDifference(desired, installed) + defects.replaceAll(/^/gm, '! ').replace(/! $/, '');
    return { inSync: text === '', text };
  }

  get #model(): Model {
    return this.#init.store.model;
  }

  #require(hostName: string): ManagedHost {
    const managed = this.host(hostName);
    if (managed === undefined) throw new ModelError('not-found', `Host ${hostName} is not kept by this controller.`);
    return managed;
  }

  #addHost(host: Host): void {
    const { store, options, logger } = this.#init;
    if (options.hosts.length > 0 && !options.hosts.includes(host.name)) return;
    const managed = new ManagedHost({
      host,
      store,
      options,
      logger,
      shared: this.#shared,
      changed: () => this.#hostChanged(host.id),
      began: () => this.#prober.nudge(undefined),
      claimed: (networkId, address, mac) => this.#prober.claim(networkId, address, mac),
      answered: (networkKey, source, answer) => this.#probing.answered(host.id, { networkKey, source }, answer),
      probing: () => this.#probing.survey(),
    });
    this.#hosts.set(host.id, managed);
    managed.start();
  }

  #removeHost(id: string): void {
    const managed = this.#hosts.get(id);
    if (managed === undefined) return;
    this.#hosts.delete(id);
    const left = managed
      .stop({ leave: true })
      .catch((error: unknown) => this.#init.logger.error({ host: managed.host.name, err: error }, 'cannot let go'))
      .finally(() => this.#leaving.delete(left));
    this.#leaving.add(left);
  }

  #modelChanged(change: ModelChange): void {
    for (const id of change.hosts) {
      const [old, now] = [change.previous.hosts.get(id), change.model.hosts.get(id)];
      if (old?.remote === now?.remote && old?.bridge === now?.bridge && old?.name === now?.name) continue;
      this.#removeHost(id);
      if (now !== undefined) this.#addHost(now);
    }
    const touched = hostsTouched(change);
    for (const id of this.#hosts.keys()) if (touched === 'all' || touched.has(id)) this.#refreshSoon(id);
    this.#probing.survey();
  }

  #hostChanged(id: string): void {
    const macs = new Set(
      [...this.#hosts.values()].flatMap(({ keeper }) => keeper.inventory?.vms ?? []).map((vm) => vm.mac!),
    );
    const came = [...macs].some((mac) => !this.#macs.has(mac));
    const gone = [...this.#macs].filter((mac) => !macs.has(mac));
    this.#macs = macs;
    this.#refreshSoon(id);
    queueMicrotask(() => {
      for (const mac of gone) this.#prober.nudge(mac);
      if (came && gone.length === 0) this.#prober.nudge(undefined);
    });
  }

  /** Several changes of one turn lead to one refresh. */
  #refreshSoon(id: string): void {
    if (this.#dirty.size === 0) queueMicrotask(() => this.#refresh());
    this.#dirty.add(id);
  }

  #refresh(): void {
    const model = this.#model;
    for (const id of this.#dirty) this.#refreshHost(id, model);
    this.#dirty.clear();
    this.#probing.survey();
    // After the switches have got what they need: with many members this takes its time.
    this.#wanting ??= setImmediate(() => {
      this.#wanting = undefined;
      this.#prober.want([...this.#wanted(this.#model)]);
    });
  }

  /** A defect that shows on one host must not hurt the others. */
  #refreshHost(id: string, model: Model): void {
    const managed = this.#hosts.get(id);
    try {
      managed?.refresh(model);
    } catch (err) {
      this.#init.logger.fatal(
        { host: managed?.host.name, err },
        'cannot compute what the host should have; please report',
      );
    }
  }

  /** Every member of a load balancer that has a balancer somewhere, with the hosts that can ask for it. */
  #wanted(model: Model): Iterable<Wanted> {
    const wanted = new Map<string, Wanted & { readonly hosts: string[] }>();
    for (const managed of this.#hosts.values()) {
      for (const { network, pools } of managed.present) {
        for (const address of pools.flatMap((pool) => pool.members.flatMap(addressesOf))) {
          const key = `${network.id} ${address}`;
          const known = wanted.get(key);
          const mac = model.neighbours.get(network.id)?.[address];
          if (known === undefined) wanted.set(key, { networkId: network.id, address, mac, hosts: [managed.id] });
          else if (known.hosts.at(-1) !== managed.id) known.hosts.push(managed.id);
        }
      }
    }
    return wanted.values();
  }

  #ask(hostId: string, networkId: string, address: string): void {
    const network = this.#model.networks.get(networkId);
    const keeper = this.#hosts.get(hostId)?.keeper;
    if (network !== undefined) keeper?.lookUp(address, { mac: probeMac(hostId), vlan: network.vlan });
  }

  #learnt(networkId: string, address: string, mac: string | undefined): void {
    this.#init.logger.info(
      { network: networkId, address, mac },
      mac === undefined ? 'member does not answer' : 'member found',
    );
    const macs = this.#found.get(networkId) ?? {};
    this.#found.set(networkId, { ...macs, [address]: mac });
    this.#recordFound();
  }

  /** Members found in one go are recorded in one go. */
  async #writeFound(): Promise<void> {
    for (const [networkId, macs] of this.#found) {
      this.#found.delete(networkId);
      await this.#init.store.setNeighbours(networkId, macs).catch((error: unknown) => {
        this.#found.set(networkId, { ...macs, ...this.#found.get(networkId) });
        throw error;
      });
    }
  }
}

function contentsOf({ flows, groups, meters }: Pick<Desired, 'flows' | 'groups' | 'meters'>): SwitchContents {
  return { flows: [...flows.values()], groups: [...groups.values()], meters: [...meters.values()] };
}
