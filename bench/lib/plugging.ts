/** Plugs VMs in and out like a hypervisor's agent with a session of its own: no program is started, nothing is waited for. */
import { portName } from '../../src/lab/names.ts';
import {
  createOvsdbClient,
  insert,
  mapOf,
  mutate,
  named,
  type OvsdbClient,
  setOf,
  string,
  table,
  uuid,
} from '../../src/ovsdb/index.ts';
import { defer } from './clean-up.ts';
import type { BenchLab } from './lab.ts';

const TABLES = {
  Bridge: table('Bridge', { name: string, ports: setOf(uuid) }),
  Port: table('Port', { name: string, interfaces: setOf(uuid) }),
  Interface: table('Interface', { name: string, external_ids: mapOf(string, string) }),
} as const;
const BRIDGE = [['name', '==', 'br-int']] as const;

export interface Plugging {
  /** Resolves when the database has the port, before the switch has it. */
  plug(vm: string): Promise<void>;
  unplug(vm: string): Promise<void>;
}

/** A session with the database of a host's Open vSwitch, until the bench ends. */
export async function plugging(lab: BenchLab, host: string): Promise<Plugging> {
  const client = createOvsdbClient({ remote: lab.host(host).remote, database: 'Open_vSwitch', tables: TABLES });
  defer(() => client.stop());
  client.start();
  await client.whenSynced();
  return { plug: (vm) => plug(client, lab, vm), unplug: (vm) => unplug(client, vm) };
}

async function plug(client: OvsdbClient<typeof TABLES>, lab: BenchLab, vm: string): Promise<void> {
  const { mac } = lab.status().vms.find(({ name }) => name === vm)!;
  const name = portName(vm);
  await client.transact([
    insert(
      TABLES.Interface,
      { name, external_ids: { 'iface-id': vm, 'attached-mac': mac } },
      { uuidName: 'interface' },
    ),
    insert(TABLES.Port, { name, interfaces: [named('interface')] }, { uuidName: 'port' }),
    mutate(TABLES.Bridge, BRIDGE, [['ports', 'insert', [named('port')]]]),
  ]);
}

async function unplug(client: OvsdbClient<typeof TABLES>, vm: string): Promise<void> {
  const port = [...client.tables.Port.values()].find(({ name }) => name === portName(vm))!;
  await client.transact([mutate(TABLES.Bridge, BRIDGE, [['ports', 'delete', [port._uuid]]])]);
}
