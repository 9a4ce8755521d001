/** The sandboxes' ports in the host's Open vSwitch database. */
import {
  createOvsdbClient,
  insert,
  integer,
  mapOf,
  mutate,
  named,
  type Operation,
  type OvsdbClient,
  optional,
  type Row,
  setOf,
  string,
  table,
  uuid,
} from '../ovsdb/index.ts';
import { AgentError } from './errors.ts';
import type { SandboxPlan } from './plan.ts';

const Bridge = table('Bridge', { name: string, ports: setOf(uuid) });
const Port = table('Port', {
  name: string,
  tag: optional(integer),
  interfaces: setOf(uuid),
  external_ids: mapOf(string, string),
});
const Interface = table('Interface', {
  name: string,
  ofport: optional(integer),
  error: optional(string),
  mtu: optional(integer),
  external_ids: mapOf(string, string),
});
const TABLES = { bridges: Bridge, ports: Port, interfaces: Interface } as const;

const CONFIRM_TIMEOUT_MS = 5_000;
const DEFAULT_MTU = 1500;

export type SwitchClient = OvsdbClient<typeof TABLES>;

/** A client of the host's Open vSwitch database with what `SwitchPorts` needs. Throws RemoteError. */
export function createSwitchClient(
  init: Pick<Parameters<typeof createOvsdbClient>[0], 'remote' | 'tls' | 'backoffMs'>,
): SwitchClient {
  return createOvsdbClient({ ...init, database: 'Open_vSwitch', tables: TABLES });
}

export class SwitchPorts {
  readonly #client: SwitchClient;
  readonly #bridge: string;

  constructor({ client, bridge }: { readonly client: SwitchClient; readonly bridge: string }) {
    this.#client = client;
    this.#bridge = bridge;
  }

  /** What frames may be as long as on the bridge. */
  get mtu(): number {
    return this.#interface(this.#bridge)?.mtu ?? DEFAULT_MTU;
  }

  /** Whether the switch forwards through the sandbox's port, as of what is known. */
  isPlugged(plan: SandboxPlan): boolean {
    return this.#isDescribed(plan) && (this.#interface(plan.names.link)?.ofport ?? -1) > 0;
  }

  /** Plugs the sandbox's cable in. Resolves when the switch forwards through it. Throws AgentError. */
  async plug(plan: SandboxPlan): Promise<void> {
    if (this.isPlugged(plan)) return;
    const hasFailed = this.#interface(plan.names.link)?.error !== undefined;
    if (!this.#isDescribed(plan) || hasFailed) await this.#transact(this.#plugging(plan));
    await this.#confirmed(plan);
  }

  /** Takes a port out of whatever bridge it is in; one that is not there is no error. Throws AgentError('no-switch'). */
  async unplug(link: string): Promise<void> {
    this.#requireSynced();
    const operations = this.#unplugging(link);
    if (operations.length > 0) await this.#transact(operations);
  }

  /** Names of ports that an agent of this host once plugged in. */
  portsOf(hostName: string): string[] {
    const ours = [...this.#client.tables.ports.values()].filter(
      ({ external_ids: ids }) => ids['hostlb-host'] === hostName,
    );
    return ours.map(({ name }) => name);
  }

  /** MACs of the VMs in the bridge. */
  vmMacs(): ReadonlySet<string> {
    const inBridge = new Set(
      this.#bridgeRow()?.ports.flatMap((id) => this.#client.tables.ports.get(id)?.interfaces ?? []),
    );
    const macs = new Set<string>();
    for (const { _uuid, external_ids: ids } of this.#client.tables.interfaces.values()) {
      const mac = ids['attached-mac'];
      if (inBridge.has(_uuid) && ids['iface-id'] !== undefined && mac !== undefined) macs.add(mac.toLowerCase());
    }
    return macs;
  }

  #plugging({ names, vlan, externalIds }: SandboxPlan): Operation[] {
    return [
      ...this.#unplugging(names.link),
      insert(Interface, { name: names.link, external_ids: externalIds }, { uuidName: 'interface' }),
      insert(
        Port,
        {
          name: names.link,
          interfaces: [named('interface')],
          external_ids: externalIds,
          ...(vlan === 0 ? {} : { tag: vlan }),
        },
        { uuidName: 'port' },
      ),
      mutate(Bridge, [['name', '==', this.#bridge]], [['ports', 'insert', [named('port')]]]),
    ];
  }

  #unplugging(link: string): Operation[] {
    const port = this.#port(link);
    if (port === undefined) return [];
    return [mutate(Bridge, [['ports', 'includes', [port._uuid]]], [['ports', 'delete', [port._uuid]]])];
  }

  #isDescribed(plan: SandboxPlan): boolean {
    const port = this.#port(plan.names.link);
    const found = this.#interface(plan.names.link);
    const wanted = Object.entries(plan.externalIds);
    if (port === undefined || found === undefined || !this.#isInBridge(port)) return false;
    return (port.tag ?? 0) === plan.vlan && wanted.every(([key, value]) => found.external_ids[key] === value);
  }

  #isInBridge(port: Row<typeof Port>): boolean {
    return this.#bridgeRow()?.ports.includes(port._uuid) ?? false;
  }

  #bridgeRow() {
    return [...this.#client.tables.bridges.values()].find(({ name }) => name === this.#bridge);
  }

  #port(link: string) {
    return [...this.#client.tables.ports.values()].find(({ name }) => name === link);
  }

  #interface(link: string) {
    return [...this.#client.tables.interfaces.values()].find(({ name }) => name === link);
  }

  async #transact(operations: readonly Operation[]): Promise<void> {
    this.#requireSynced();
    if (this.#bridgeRow() === undefined) {
      throw new AgentError('no-switch', `Open vSwitch of this host has no bridge ${this.#bridge}`);
    }
    try {
      await this.#client.transact(operations);
    } catch (cause) {
      throw new AgentError('no-switch', `Open vSwitch does not take the change: ${(cause as Error).message}`, {
        cause,
      });
    }
  }

  #requireSynced(): void {
    if (this.#client.synced) return;
    const why = this.#client.lastError?.message ?? 'not connected yet';
    throw new AgentError('no-switch', `Open vSwitch of this host cannot be reached: ${why}`);
  }

  #confirmed(plan: SandboxPlan): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (finish: () => void) => {
        this.#client.off('change', look);
        clearTimeout(timer);
        finish();
      };
      const refuse = (why: string) =>
        settle(() => reject(new AgentError('port-refused', `Open vSwitch port ${plan.names.link}: ${why}`)));
      const look = () => {
        const error = this.#interface(plan.names.link)?.error;
        if (this.isPlugged(plan)) settle(resolve);
        else if (error !== undefined) refuse(error);
      };
      const timer = setTimeout(
        () => refuse(`no answer of ovs-vswitchd in ${CONFIRM_TIMEOUT_MS} ms`),
        CONFIRM_TIMEOUT_MS,
      );
      this.#client.on('change', look);
      look();
    });
  }
}
