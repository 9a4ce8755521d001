/**
 * A whole controller with hosts that tests can do anything to: a real state database, for each host a real Open_vSwitch
 * database, and as its switch a fake one or a real Open vSwitch.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { pino } from 'pino';
import { Controller } from '../../src/controller/controller.ts';
import { announcementFrames } from '../../src/host/packets.ts';
import { addressFromBytes } from '../../src/model/addresses.ts';
import type { Message } from '../../src/openflow/index.ts';
import { createStore, type Store } from '../../src/store/index.ts';
import { packaged } from '../../src/util/paths.ts';
import { type FakeSwitch, startFakeSwitch } from './fake-switch.ts';
import { startOvs } from './ovs.ts';
import { startOvsdbServer } from './ovsdb-server.ts';
import { until } from './until.ts';

const BRIDGE = 'br0';
const UPLINK = 1000;

export interface Vm {
  readonly name: string;
  readonly ofport: number;
  readonly mac: string;
  readonly vlan: number;
  /** Empty = none. */
  readonly owner: string;
}

/** A machine of the fleet, whether or not the controller keeps it. */
export interface FleetHost {
  readonly name: string;
  readonly remote: string;
  plug(vm: Vm): Promise<void>;
  unplug(vm: Vm): Promise<void>;
  /** Its OpenFlow connection is cut. */
  cut(): Promise<void>;
  /** Its switch has no flow and no group any more, and its connections are cut, as after a crash. */
  crash(): Promise<void>;
  /** Somebody else takes away our flows and groups in every other of its tables, and puts in some of his own. */
  vandalise(): Promise<void>;
  stop(): Promise<void>;
}

export interface FakeHost extends FleetHost {
  readonly fake: FakeSwitch;
}

function plugArgs({ name, mac, vlan, owner }: Vm, more: readonly string[]): readonly string[] {
  const tag = vlan === 0 ? [] : [`tag=${vlan}`];
  const ids = [`external_ids:iface-id=iface-${name}`, `external_ids:attached-mac="${mac}"`];
  const owned = owner === '' ? [] : [`external_ids:hostlb-owner=${owner}`];
  return ['add-port', BRIDGE, name, ...tag, '--', 'set', 'interface', name, ...ids, ...owned, ...more];
}

/** The MAC at which the networks of fake hosts have a member. */
export function memberMac(address: string): string {
  const octets = address
    .split('.')
    .slice(1)
    .map((part) => Number(part).toString(16).padStart(2, '0'));
  return `52:54:02:${octets.join(':')}`;
}

/** Answers a lookup of an IPv4 address as the member with that address would. */
function answerLookup(fake: FakeSwitch, message: Message): void {
  if (message.kind !== 'packet_out') return;
  const frame = Buffer.from(message.data);
  const vlan = frame.readUInt16BE(12) === 0x8100 ? frame.readUInt16BE(14) & 0xfff : 0;
  const at = vlan === 0 ? 14 : 18;
  if (frame.readUInt16BE(at - 2) !== 0x0806 || frame.readUInt16BE(at + 6) !== 1) return;
  const address = addressFromBytes(frame.subarray(at + 24, at + 28));
  void fake.packetIn({ inPort: UPLINK, data: announcementFrames(address, memberMac(address), vlan)[1]! });
}

/** A host whose switch is a fake one; on its networks every IPv4 address answers. */
export async function startFakeHost(name: string): Promise<FakeHost> {
  const heard = (message: Message) => answerLookup(fake, message);
  const database = await startOvsdbServer({ schema: '/usr/share/openvswitch/vswitch.ovsschema' });
  // Where the controller will have the bridge listen.
  const fake = await startFakeSwitch({ path: `${database.directory}/${BRIDGE}.hostlb`, heard, versions: ['1.5'] });
  const vsctl = (...args: readonly string[]) =>
    promisify(execFile)('ovs-vsctl', [`--db=${database.unix}`, '--no-wait', ...args]);
  await vsctl('init', '--', 'add-br', BRIDGE, '--', 'set', 'Open_vSwitch', '.', 'ovs_version=3.1.0');
  return {
    ...{ name, fake, remote: database.unix },
    plug: async (vm) => void (await vsctl(...plugArgs(vm, [`ofport=${vm.ofport}`]))),
    unplug: async (vm) => void (await vsctl('--if-exists', 'del-port', BRIDGE, vm.name)),
    cut: async () => fake.disconnect(),
    crash: async () => fake.restart(),
    vandalise: async () => fake.vandalise(),
    stop: async () => {
      await fake.stop();
      await database.stop();
    },
  };
}

/** A host with a real Open vSwitch, on whose networks nobody answers. */
export async function startRealHost(name: string): Promise<FleetHost> {
  const ovs = await startOvs({ bridge: BRIDGE });
  return {
    ...{ name, remote: ovs.dbRemote },
    plug: async (vm) => void (await ovs.vsctl(...plugArgs(vm, ['type=dummy', `ofport_request=${vm.ofport}`]))),
    unplug: async (vm) => void (await ovs.vsctl('--if-exists', 'del-port', BRIDGE, vm.name)),
    // The bridge's listeners go, and with them who came by them.
    cut: async () => void (await ovs.vsctl('del-controller', BRIDGE)),
    crash: () => ovs.restartSwitch(),
    vandalise: async () => {
      for (let table = 100; table < 120; table += 2) await ovs.ofctl('del-flows', `table=${table}`);
      await ovs.ofctl('del-groups');
      await ovs.ofctl('add-flow', 'cookie=0x686c0000000000ff,table=101,priority=7,actions=drop');
    },
    stop: () => ovs.stop(),
  };
}

export class Fleet {
  readonly hosts: readonly FleetHost[];
  readonly store: Store;
  readonly controller: Controller;
  readonly #stopDatabase: () => Promise<void>;

  private constructor(init: Pick<Fleet, 'hosts' | 'store'> & { readonly stopDatabase: () => Promise<void> }) {
    this.hosts = init.hosts;
    this.store = init.store;
    this.#stopDatabase = init.stopDatabase;
    const options = { hosts: [], tls: undefined, lingerMs: 0, drainMs: 0, announceMs: 1e8, countMs: 1e8, auditMs: 1e8 };
    this.controller = new Controller({ store: this.store, options, logger: pino({ level: 'silent' }) });
  }

  /** A controller of these hosts, which it is not told of. `stop` ends them, too. */
  static async start(hosts: readonly FleetHost[]): Promise<Fleet> {
    const server = await startOvsdbServer({ schema: packaged('schema/hostlb.ovsschema') });
    const store = createStore({ remote: server.unix });
    await store.start();
    const fleet = new Fleet({ hosts, store, stopDatabase: () => server.stop() });
    fleet.controller.start();
    return fleet;
  }

  /** The hosts that the controller has been told of. */
  get kept(): readonly FleetHost[] {
    const names = new Set([...this.store.model.hosts.values()].map(({ name }) => name));
    return this.hosts.filter(({ name }) => names.has(name));
  }

  async keep({ name, remote }: FleetHost): Promise<void> {
    await this.store.putHost({ name, remote, bridge: BRIDGE });
  }

  /** Resolves when every kept host has the newest change. */
  async applied(withinMs?: number): Promise<void> {
    const { generation } = this.store.model;
    const lagging = () => this.kept.filter(({ name }) => this.#appliedOn(name) < generation);
    await until(() => lagging().length === 0, {
      what: () =>
        `change ${generation} on ${lagging()
          .map(({ name }) => name)
          .join()}`,
      ...(withinMs !== undefined && { withinMs }),
    });
  }

  /** Resolves when every kept host has the newest change and, by the law, incremental = from scratch = switch. */
  async settled(withinMs = 90_000): Promise<void> {
    await Promise.all(this.kept.map((host) => this.#settledOn(host, withinMs)));
  }

  async stop(): Promise<void> {
    await this.controller.stop();
    await this.store.stop();
    await Promise.all([this.#stopDatabase(), ...this.hosts.map((host) => host.stop())]);
  }

  #appliedOn(name: string): number {
    return this.controller.applied(this.controller.host(name)?.id ?? '') ?? 0;
  }

  async #settledOn({ name }: FleetHost, withinMs: number): Promise<void> {
    let said = 'not kept yet';
    await until(
      async () => {
        const { generation } = this.store.model;
        const applied = this.#appliedOn(name);
        if (applied < generation) {
          said = `has change ${applied} of ${generation}`;
          return false;
        }
        const diff = await this.controller
          .flowDiff(name)
          .catch((error: Error) => ({ inSync: false, text: error.message }));
        said = diff.text;
        return diff.inSync;
      },
      { what: () => `${name}: desired, from scratch and switch are one:\n${said}`, withinMs },
    );
  }
}
