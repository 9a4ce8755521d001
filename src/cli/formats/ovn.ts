/** Load balancers as OVN's northbound database has them: read from `ovn-nbctl -f json list load_balancer`. */
import { TRANSPORTS, type Transport } from '../../model/transport.ts';
import { CliError } from '../io.ts';
import { parseEndpoint, printEndpoint, type Service } from '../services/service.ts';
import type { Exported, Imported } from './format.ts';

type Atom = string | number | boolean;
interface Table {
  readonly headings: readonly string[];
  readonly data: readonly (readonly unknown[])[];
}

/** Throws CliError for a text of another form. */
export function parseOvn(text: string): Imported {
  const table = readTable(text);
  const notes = new Set<string>();
  const refused: string[] = [];
  const services = table.data.flatMap((cells) => {
    const row = Object.fromEntries(table.headings.map((heading, i) => [heading, cells[i]]));
    return readRow(row, notes, refused);
  });
  return { services, notes: [...notes], refused };
}

function readTable(text: string): Table {
  let table: Partial<Table> | undefined;
  try {
    table = JSON.parse(text) as Partial<Table>;
  } catch {}
  const rows: unknown = table?.data;
  const whole = Array.isArray(table?.headings) && Array.isArray(rows) && rows.every(Array.isArray);
  if (!whole || !table!.headings!.includes('vips')) {
    throw new CliError('this is not what `ovn-nbctl -f json list load_balancer` prints');
  }
  return table as Table;
}

function readRow(row: Readonly<Record<string, unknown>>, notes: Set<string>, refused: string[]): readonly Service[] {
  const name = atoms(row.name)[0] ?? '';
  const transport = (atoms(row.protocol)[0] ?? 'tcp') as Transport;
  const fields = atoms(row.selection_fields);
  const sticky = pairs(row.options).some(([key]) => key === 'affinity_timeout');
  if (atoms(row.health_check).length > 0)
    notes.add(`${name}: health checks are not taken over: see hostlb healthmonitor`);
  for (const [key] of pairs(row.options))
    if (key !== 'affinity_timeout') notes.add(`${name}: option ${key} is not taken over`);
  const bySource = fields.length > 0 && fields.every((field) => /^(ip|ipv6)_(src|dst)$/.test(String(field)));
  const algorithm = bySource ? 'SOURCE_IP' : 'SOURCE_IP_PORT';
  return pairs(row.vips).flatMap(([key, value]): readonly Service[] => {
    const vip = parseEndpoint(String(key));
    const ips = String(value)
      .split(',')
      .filter((ip) => ip !== '');
    const backends = ips.map(parseEndpoint);
    if (!TRANSPORTS.includes(transport) || vip === undefined || backends.includes(undefined)) {
      refused.push(`${name} at ${key}: hostlb serves ${TRANSPORTS.join(', ')} at ADDRESS:PORT`);
      return [];
    }
    const members = backends.map((backend) => ({ ...backend!, weight: 1 }));
    return [{ name: String(name), vip, transport, algorithm, sticky, backends: members }];
  });
}

/** Of a cell of OVSDB's JSON: an atom alone, or `["set", […]]`. */
function atoms(cell: unknown): readonly Atom[] {
  if (!Array.isArray(cell)) return cell === undefined ? [] : [cell as Atom];
  return cell[0] === 'set' && Array.isArray(cell[1]) ? (cell[1] as readonly Atom[]) : [cell[1] as Atom];
}

/** Of `["map", [[key, value], …]]`. */
function pairs(cell: unknown): readonly (readonly [Atom, Atom])[] {
  return Array.isArray(cell) && cell[0] === 'map' && Array.isArray(cell[1]) ? (cell[1] as [Atom, Atom][]) : [];
}

/** Lines of a shell script: OVN's tool has no format that it reads. */
export function printOvn(services: readonly Service[]): Exported {
  const notes = new Set<string>();
  const lines = new Map<string, string[]>();
  for (const { name, vip, transport, algorithm, sticky, backends } of services) {
    // A load balancer of OVN has one protocol.
    const named = transport === 'tcp' ? name : `${name}-${transport}`;
    const used = backends.filter(({ weight }) => weight > 0);
    const ips = used.map(printEndpoint).join(',');
    const commands = lines.get(named) ?? [];
    lines.set(named, commands);
    commands.push(
      `ovn-nbctl --may-exist lb-add ${quote(named)} ${quote(printEndpoint(vip))} ${quote(ips)} ${transport}`,
    );
    const settings = [
      ...(algorithm === 'SOURCE_IP' ? ['selection_fields=ip_src'] : []),
      ...(sticky ? ['options:affinity_timeout=300'] : []),
    ];
    if (settings.length > 0) commands.push(`ovn-nbctl set load_balancer ${quote(named)} ${settings.join(' ')}`);
    if (used.some(({ weight }) => weight !== used[0]!.weight)) notes.add(`${name}: weights are not kept`);
    if (used.length < backends.length) notes.add(`${name}: members with weight 0 are left out`);
    if (algorithm === 'ROUND_ROBIN' || algorithm === 'LEAST_CONNECTIONS') {
      notes.add(`${name}: OVN has no ${algorithm}, it goes by a hash`);
    }
  }
  const commands = [...lines.values()].flatMap((all) => [...new Set(all)]);
  return { text: commands.map((line) => `${line}\n`).join(''), notes: [...notes] };
}

/** For a POSIX shell. */
function quote(text: string): string {
  return /^[\w.:,/-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
