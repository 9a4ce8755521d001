/**
 * What a controller needs of a host's Open_vSwitch database: its schema, a snapshot, locks, and updates, which are taken and
 * change nothing. It has one bridge with an uplink and a VM, prepared for hostlb. Anything else is refused.
 */
import { createServer, type Server } from 'node:net';
import { OVS_TABLES } from '../../src/host/ovs-tables.ts';
import { JsonFramer } from '../../src/ovsdb/framing.ts';
import type { Json, JsonObject } from '../../src/ovsdb/index.ts';
import { PEER_DEFAULTS } from '../../src/ovsdb/jsonrpc.ts';
import { OWN_TABLES } from '../../src/pipeline/tables.ts';

export interface SimulatedHost {
  readonly bridge: string;
  /** Passive target of the bridge's OpenFlow listener. */
  readonly target: string;
  readonly uplink: number;
  readonly vm: { readonly ofport: number; readonly vlan: number; readonly mac: string; readonly owner: string };
  readonly name: string;
}

let rows = 0;
const newUuid = (): string => `00000000-0000-4000-8000-${(++rows).toString(16).padStart(12, '0')}`;
const set = (values: readonly Json[]): Json => ['set', values];
const map = (entries: readonly (readonly [Json, Json])[]): Json => ['map', entries.map(([key, value]) => [key, value])];
const uuid = (id: string): Json => ['uuid', id];

function columnType({ kind, key, ...rest }: { readonly kind: string; readonly key: string; readonly value?: string }) {
  if (kind === 'scalar') return { type: key };
  const max = kind === 'optional' ? 1 : 'unlimited';
  return { type: { key, min: 0, max, ...(rest.value !== undefined && { value: rest.value }) } };
}

const SCHEMA: JsonObject = {
  name: 'Open_vSwitch',
  version: '8.3.1',
  tables: Object.fromEntries(
    Object.values(OVS_TABLES).map(({ name, columns }) => [
      name,
      { columns: Object.fromEntries(Object.entries(columns).map(([column, shape]) => [column, columnType(shape)])) },
    ]),
  ),
};

function snapshot({ bridge, target, uplink, vm, name }: SimulatedHost): JsonObject {
  const ours = map([['hostlb', bridge]]);
  const tables: Record<string, Record<string, JsonObject>> = {};
  const add = (table: string, row: JsonObject): Json => {
    const id = newUuid();
    tables[table] = { ...tables[table], [id]: { initial: row } };
    return uuid(id);
  };
  const port = (port: string, ofport: number, ids: Json, columns: JsonObject = {}): Json => {
    const only = add('Interface', { name: port, ofport, external_ids: ids });
    return add('Port', { name: port, interfaces: only, ...columns });
  };
  const ids = map([
    ['iface-id', `vm-of-${name}`],
    ['attached-mac', vm.mac],
    ['hostlb-owner', vm.owner],
  ]);
  const ports = [port('uplink', uplink, map([])), port('vm', vm.ofport, ids, { tag: vm.vlan })];
  const tableNames = OWN_TABLES.map(
    ([table, id]) => [id, add('Flow_Table', { name: table, external_ids: ours })] as const,
  );
  const controller = add('Controller', { target, external_ids: ours });
  add('Bridge', { name: bridge, ports: set(ports), controller, flow_tables: map(tableNames) });
  add('Open_vSwitch', { ovs_version: '3.1.0' });
  return tables;
}

/** The answer to a transaction of updates; undefined to one of anything else. */
function taken(operations: readonly Json[]): Json | undefined {
  const areUpdates = operations.every((operation) => (operation as JsonObject).op === 'update');
  return areUpdates ? operations.map(() => ({ count: 1 })) : undefined;
}

/** Serves the database of one host at a unix socket. */
export function serveDatabase(path: string, host: SimulatedHost): Server {
  const content = snapshot(host);
  const answer = ({ method, params }: JsonObject): Json | undefined => {
    const [first] = params as readonly Json[];
    switch (method) {
      case 'get_schema':
        return first === 'Open_vSwitch' ? SCHEMA : undefined;
      case 'monitor_cond_since':
        return [false, '00000000-0000-0000-0000-000000000000', content];
      case 'lock':
        return { locked: true };
      case 'unlock':
        return {};
      case 'echo':
        return params;
      case 'transact':
        return taken((params as readonly Json[]).slice(1));
      default:
        return undefined;
    }
  };
  return createServer((socket) => {
    const framer = new JsonFramer(PEER_DEFAULTS);
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      for (const request of framer.push(chunk)) {
        if (request.method === undefined) continue;
        const result = answer(request);
        const error = result === undefined ? { error: 'not supported', details: request.method } : null;
        socket.write(JSON.stringify({ id: request.id ?? null, result: result ?? null, error }));
      }
    });
  }).listen(path);
}
