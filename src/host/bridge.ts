/** What hostlb needs set in a host's Open_vSwitch database: a way in for OpenFlow, and names for its tables. */
import { dirname } from 'node:path';
import { byUuid, formatRemote, insert, mutate, named, type OvsdbClient, parseRemote, update } from '../ovsdb/index.ts';
import { OWN_TABLES } from '../pipeline/tables.ts';
import { HostError } from './errors.ts';
import { type BridgeRow, type ControllerRow, OVS_TABLES, type OvsTables } from './ovs-tables.ts';

/** `external_ids` key of the rows that are ours. */
const OURS = 'hostlb';
/** `external_ids` keys of our listener: the state database that the bridge belongs to, and the controller that keeps it. */
const DATABASE = 'hostlb-database';
const CONTROLLER = 'hostlb-controller';
/** First port tried for a passive OpenFlow listener: the one IANA gives OpenFlow. */
const FIRST_PORT = 6653;
/**
 * Packet-ins per second that a switch may send: more than `valve.ts` lets through, which is not to wait here. Of those that
 * come at once Open vSwitch sends 100 and drops the rest; with a burst of 100 as many again wait, and ports take turns.
 */
const PACKET_IN_LIMIT = { controller_rate_limit: 4000, controller_burst_limit: 100 } as const;
/** Oldest Open vSwitch with everything the pipeline uses (OpenFlow 1.5 group properties, ct with NAT in both datapaths). */
const OLDEST = [2, 17] as const;

/**
 * Finds the bridge and checks that it can serve. Throws HostError: no such bridge, an Open vSwitch that is too old, or
 * OpenFlow 1.5 switched off on the bridge.
 */
export function findBridge(client: OvsdbClient<OvsTables>, host: string, bridge: string): BridgeRow {
  const version = ovsVersion(client);
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (version !== '' && (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]))) {
    throw new HostError(
      'too-old',
      `host ${host} runs Open vSwitch ${version}; hostlb needs ${OLDEST.join('.')} or later`,
    );
  }
  const row = bridgeNamed(client, bridge);
  if (row === undefined) {
    throw new HostError('no-bridge', `host ${host} has no bridge ${bridge}: create it with ovs-vsctl add-br ${bridge}`);
  }
  if (row.protocols.length > 0 && !row.protocols.includes('OpenFlow15')) {
    throw new HostError(
      'protocol-disabled',
      `bridge ${bridge} of host ${host} allows only ${row.protocols.join(', ')}: run ovs-vsctl add bridge ${bridge} protocols OpenFlow15`,
    );
  }
  return row;
}

/** The row of the bridge of that name, as far as the database is known. */
export function bridgeNamed(client: OvsdbClient<OvsTables>, name: string): BridgeRow | undefined {
  return [...client.tables.Bridge.values()].find((row) => row.name === name);
}

/** The version that the host's Open vSwitch reports; empty while unknown. */
function ovsVersion(client: OvsdbClient<OvsTables>): string {
  return [...client.tables.Open_vSwitch.values()][0]?.ovs_version ?? '';
}

/** Who keeps a bridge. */
export interface Claim {
  /** Id of a state database. */
  readonly database: string;
  /** What the controller says of itself. */
  readonly controller: string;
}

const ourListener = (client: OvsdbClient<OvsTables>, bridge: BridgeRow): ControllerRow | undefined =>
  bridge.controller
    .map((id) => client.tables.Controller.get(id))
    .find((row) => row?.external_ids[OURS] === bridge.name);

/** Who keeps the bridge, as its database says; undefined where nobody does, or an earlier version that does not say so. */
export function claimOf(client: OvsdbClient<OvsTables>, bridge: BridgeRow): Claim | undefined {
  const { [DATABASE]: database, [CONTROLLER]: controller = '' } = ourListener(client, bridge)?.external_ids ?? {};
  return database === undefined ? undefined : { database, controller };
}

const idsOf = (bridge: BridgeRow, { database, controller }: Claim) => ({
  [OURS]: bridge.name,
  [DATABASE]: database,
  [CONTROLLER]: controller,
});

/**
 * Makes sure that the bridge has our passive OpenFlow listener, which says who keeps it, and that our tables have names;
 * changes nothing else. Answers the remote to dial.
 */
export async function prepareBridge(
  client: OvsdbClient<OvsTables>,
  bridge: BridgeRow,
  { dbRemote, claim }: { readonly dbRemote: string; readonly claim: Claim },
): Promise<string> {
  const existing = ourListener(client, bridge);
  const target = existing?.target ?? listenerTarget(client, bridge.name, dbRemote);
  const ids = idsOf(bridge, claim);
  const listener = existing === undefined ? addListener(bridge, target, ids) : amendListener(existing, ids);
  const operations = [...listener, ...nameTables(bridge)];
  if (operations.length > 0) await client.transact(operations);
  return dialRemote(target, dbRemote);
}

type Ids = ControllerRow['external_ids'];

function addListener(bridge: BridgeRow, target: string, external_ids: Ids) {
  const row = { target, external_ids, ...PACKET_IN_LIMIT };
  return [
    insert(OVS_TABLES.Controller, row, { uuidName: 'listener' }),
    mutate(OVS_TABLES.Bridge, byUuid(bridge._uuid), [['controller', 'insert', [named('listener')]]]),
  ];
}

/** One that is there may be of another controller, or of another version with other limits. */
function amendListener(
  { _uuid, external_ids, controller_rate_limit, controller_burst_limit }: ControllerRow,
  ids: Ids,
) {
  const { controller_rate_limit: rate, controller_burst_limit: burst } = PACKET_IN_LIMIT;
  const isClaimed = Object.entries(ids).every(([key, value]) => external_ids[key] === value);
  if (isClaimed && controller_rate_limit === rate && controller_burst_limit === burst) return [];
  return [
    update(OVS_TABLES.Controller, byUuid(_uuid), { external_ids: { ...external_ids, ...ids }, ...PACKET_IN_LIMIT }),
  ];
}

/** Names every table of ours that nobody has named yet, so that `ovs-ofctl --names` reads well. */
function nameTables(bridge: BridgeRow) {
  const unnamed = OWN_TABLES.filter(([, id]) => bridge.flow_tables[id] === undefined);
  if (unnamed.length === 0) return [];
  const rows = unnamed.map(([name]) =>
    insert(OVS_TABLES.Flow_Table, { name, external_ids: { [OURS]: bridge.name } }, { uuidName: `table_${name}` }),
  );
  const names = Object.fromEntries(unnamed.map(([name, id]) => [id, named(`table_${name}`)]));
  return [...rows, mutate(OVS_TABLES.Bridge, byUuid(bridge._uuid), [['flow_tables', 'insert', names]])];
}

/** A listener beside the way the database is reached: same kind of socket, same address. */
function listenerTarget(client: OvsdbClient<OvsTables>, bridge: string, dbRemote: string): string {
  const remote = parseRemote(dbRemote);
  if (remote.kind === 'unix') return `punix:${dirname(remote.path)}/${bridge}.hostlb`;
  const taken = new Set([...client.tables.Controller.values()].map(({ target }) => Number(target.split(':')[1])));
  let port = FIRST_PORT;
  while (taken.has(port)) port++;
  const address = /^[0-9.]+$/.test(remote.host)
    ? `:${remote.host}`
    : remote.host.includes(':')
      ? `:[${remote.host}]`
      : '';
  return `p${remote.kind}:${port}${address}`;
}

/** How to dial a passive target: at the address where the database answered. */
function dialRemote(target: string, dbRemote: string): string {
  if (target.startsWith('punix:')) return target.slice(1);
  const remote = parseRemote(dbRemote);
  if (remote.kind === 'unix') throw new HostError('not-connected', `${target} cannot be dialled beside ${dbRemote}`);
  return formatRemote({ ...remote, port: Number(target.split(':')[1]) });
}

/** Takes back what `prepareBridge` put into the database. */
export async function releaseBridge(client: OvsdbClient<OvsTables>, bridge: BridgeRow): Promise<void> {
  const listeners = bridge.controller.filter(
    (id) => client.tables.Controller.get(id)?.external_ids[OURS] === bridge.name,
  );
  const tables = Object.entries(bridge.flow_tables).filter(
    ([, id]) => client.tables.Flow_Table.get(id)?.external_ids[OURS] === bridge.name,
  );
  const rest = Object.fromEntries(
    Object.entries(bridge.flow_tables).filter(([key]) => !tables.some(([k]) => k === key)),
  );
  await client.transact([
    update(OVS_TABLES.Bridge, byUuid(bridge._uuid), {
      controller: bridge.controller.filter((id) => !listeners.includes(id)),
      flow_tables: rest,
    }),
  ]);
}
