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

/** What is looked up again and again, made anew after a change. */
interface Index {
  readonly bridge: Row<typeof Bridge> | undefined;
  readonly ports: ReadonlyMap<string, Row<typeof Port>>;
  readonly interfaces: ReadonlyMap<string, Row<typeof Interface>>;
  readonly vmMacs: ReadonlySet<string>;
}

export class SwitchPorts {
  readonly #client: SwitchClient;
  readonly #bridge: string;
  #known: Index | undefined;

  constructor({ client, bridge }: { readonly client: SwitchClient; readonly bridge: string }) {
    this.#client = client;
    this.#bridge = bridge;
    client.on('change', () => {
      this.#known = undefined;
    });
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

  /** MACs of the VMs in the bridge; the same set until something changes. */
  vmMacs(): ReadonlySet<string> {
    return this.#index().vmMacs;
  }

  #index(): Index {
    const { bridges, ports, interfaces } = this.#client.tables;
    this.#known ??= indexOf({
      bridge: [...bridges.values()].find(({ name }) => name === this.#bridge),
      ports: [...ports.values()],
      interfaces: [...interfaces.values()],
    });
    return this.#known;
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
    return this.#index().bridge;
  }

  #port(link: string) {
    return this.#index().ports.get(link);
  }

  #interface(link: string) {
    return this.#index().interfaces.get(link);
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

function indexOf(rows: {
  readonly bridge: Row<typeof Bridge> | undefined;
  readonly ports: readonly Row<typeof Port>[];
  readonly interfaces: readonly Row<typeof Interface>[];
}): Index {
  const { bridge, ports, interfaces } = rows;
  const inBridge = new Set(bridge?.ports);
  const plugged = new Set(ports.filter(({ _uuid }) => inBridge.has(_uuid)).flatMap((port) => port.interfaces));
  const macs = interfaces.flatMap(({ _uuid, external_ids: ids }) => {
    const mac = ids['attached-mac'];
    return plugged.has(_uuid) && ids['iface-id'] !== undefined && mac !== undefined ? [mac.toLowerCase()] : [];
  });
  return {
    bridge,
    ports: new Map(ports.map((row) => [row.name, row])),
    interfaces: new Map(interfaces.map((row) => [row.name, row])),
    vmMacs: new Set(macs),
  };
}
