/**
 * Finds the template of flows/ that a flow was made from, with its variables, and what its `#:` line says in words.
 *
 * A template is told by what stays the same when its variables are given other values; the rest are its holes.
 */
import { readdirSync, readFileSync } from 'node:fs';
import {
  type Flow,
  type FlowTemplate,
  type Masked,
  type Match,
  parseTemplates,
  printMatch,
  TextError,
} from '../openflow/index.ts';
import { TABLES, type TableName } from '../pipeline/tables.ts';
import { packaged } from '../util/paths.ts';

/** A variable's value, and the place in the flow that it was read from, such as `match.in_port`; of a set_field its field is part. */
export interface Bound {
  readonly value: string;
  readonly place: string;
}

export interface Recognised {
  readonly unit: string;
  /** Where it stands: file and line. */
  readonly template: string;
  /** The template's words, with `${variables}` in them; empty when it has none. */
  readonly words: string;
  readonly variables: ReadonlyMap<string, Bound>;
}

interface Shape extends Omit<Recognised, 'variables'> {
  readonly constants: ReadonlyMap<string, string>;
  /** By place. */
  readonly holes: ReadonlyMap<string, Hole>;
}

interface Hole {
  readonly variable: string;
  print(raw: string): string;
}

interface Known {
  /** By table and priority. */
  readonly shapes: ReadonlyMap<string, readonly Shape[]>;
  /** What the head of each table's file says. */
  readonly purposes: ReadonlyMap<string, string>;
}

let known: Known | undefined;

/** The template of a flow of ours; undefined for any other flow. Reads flows/ at first use. */
export function recognise(flow: Flow): Recognised | undefined {
  known ??= read();
  const leaves = leavesOf(flow);
  for (const { unit, template, words, constants, holes } of known.shapes.get(placeOf(flow)) ?? []) {
    if (leaves.size !== constants.size + holes.size) continue;
    if (![...constants].every(([place, value]) => leaves.get(place) === value)) continue;
    if (![...holes.keys()].every((place) => leaves.has(place))) continue;
    const variables = new Map<string, Bound>();
    for (const [place, { variable, print }] of holes) {
      if (!variables.has(variable)) variables.set(variable, { value: print(leaves.get(place)!), place });
    }
    return { unit, template, words, variables };
  }
  return undefined;
}

/** What a table is for, as the head of its file says it. */
export function purposeOf(table: string): string {
  known ??= read();
  return known.purposes.get(table) ?? '';
}

/** Name of a table of ours. */
export function tableName(id: number): TableName | undefined {
  return (Object.entries(TABLES) as [TableName, number][]).find(([, number]) => number === id)?.[0];
}

/** Every template with its words: for tests that none lacks them. */
export function* templateWords(): Generator<Pick<Shape, 'unit' | 'template' | 'words'>, void> {
  known ??= read();
  for (const shapes of known.shapes.values()) yield* shapes;
}

function read(): Known {
  const shapes = new Map<string, Shape[]>();
  const purposes = new Map<string, string>();
  const folder = packaged('flows');
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.flows'))) {
    const text = readFileSync(`${folder}/${name}`, 'utf8');
    const [, table, purpose] = /^# Table (\w+)(?: \(0\))?: ((?:.|\n(?=# ))*)/.exec(text) ?? [];
    if (table !== undefined) purposes.set(table, purpose!.replaceAll('\n# ', ' ').trim());
    const words = wordsByLine(text);
    for (const template of parseTemplates(text, { file: `flows/${name}`, tables: TABLES })) {
      const [place, shape] = shapeOf(template, {
        words: words[template.line - 1]!,
        template: `${name}:${template.line}`,
      });
      shapes.set(place, [...(shapes.get(place) ?? []), shape]);
    }
  }
  return { shapes, purposes };
}

/** For each line, the `#:` line that speaks for it: the last one before it in its section. */
function wordsByLine(text: string): readonly string[] {
  let words = '';
  return text.split('\n').map((line) => {
    if (line.startsWith('#@')) words = '';
    else if (line.startsWith('#:')) words = line.slice(2).trim();
    return words;
  });
}

/** Kinds of values: a sample of each, and how the number that it becomes is printed. Numbers last: they fit most fields. */
const KINDS: readonly {
  readonly sample: (index: number) => string | number;
  readonly print: (raw: string) => string;
}[] = [
  { sample: (index) => `02:00:00:00:00:${index + 10}`, print: (raw) => printed({ eth_src: Number(raw) }) },
  { sample: (index) => `192.0.2.${index + 1}`, print: (raw) => printed({ ip_src: masked(raw, Number) }) },
  { sample: (index) => `2001:db8::${index + 1}`, print: (raw) => printed({ ipv6_src: masked(raw, BigInt) }) },
  { sample: (index) => index + 1, print: (raw) => raw },
];
/** From a leaf: a value, or VALUE/MASK. */
function masked<T>(raw: string, read: (text: string) => T): T | Masked<T> {
  const [value, mask] = raw.split('/');
  return mask === undefined ? read(value!) : { value: read(value!), mask: read(mask) };
}
const printed = (match: Match): string => printMatch(match).replace(/^\w+=/, '');
const [IPV4, IPV6] = [1, 2];
const ETH_TYPE_IPV6 = 0x86dd;
const OTHER = 40;

function shapeOf(
  template: FlowTemplate,
  said: Pick<Shape, 'words' | 'template'>,
): readonly [place: string, shape: Shape] {
  const kinds = kindsOf(template);
  const instance = (moved?: string): Flow =>
    template.instantiate(
      Object.fromEntries(
        [...kinds].map(([name, kind], i) => [name, KINDS[kind]!.sample(name === moved ? i + OTHER : i)]),
      ),
    );
  const flow = instance();
  const constants = new Map(leavesOf(flow));
  const holes = new Map<string, Hole>();
  for (const [variable, kind] of kinds) {
    const changed = leavesOf(instance(variable));
    for (const [place, value] of leavesOf(flow)) {
      if (changed.get(place) === value) continue;
      holes.set(place, { variable, print: KINDS[kind]!.print });
      constants.delete(place);
    }
  }
  return [placeOf(flow), { unit: template.unit, ...said, constants, holes }];
}

/** Which kind of value each variable takes: the error names the one that does not fit. */
function kindsOf(template: FlowTemplate): ReadonlyMap<string, number> {
  const kinds = new Map(template.variables.map((name) => [name, 0]));
  for (;;) {
    try {
      const values = Object.fromEntries([...kinds].map(([name, kind], i) => [name, KINDS[kind]!.sample(i)]));
      // A translation takes addresses of both families: the match says which is meant.
      const isIpv6 = template.instantiate(values).match.eth_type === ETH_TYPE_IPV6;
      return isIpv6 ? new Map([...kinds].map(([name, kind]) => [name, kind === IPV4 ? IPV6 : kind])) : kinds;
    } catch (error) {
      const name = error instanceof TextError ? error.place.variable : undefined;
      const next = name === undefined ? KINDS.length : kinds.get(name)! + 1;
      if (next >= KINDS.length) throw error;
      kinds.set(name!, next);
    }
  }
}

const placeOf = ({ tableId, priority }: Flow): string => `${tableId} ${priority}`;

/** Everything in a flow that is no object or list, by its place. A masked value is one, as VALUE/MASK. */
function leavesOf({ match, instructions }: Flow): ReadonlyMap<string, string> {
  const leaves = new Map<string, string>();
  const walk = (value: unknown, place: string): void => {
    if (value instanceof Uint8Array) leaves.set(place, value.join());
    else if (isMasked(value)) leaves.set(place, `${value.value}/${value.mask}`);
    else if (typeof value === 'object' && value !== null) {
      const field = 'field' in value && typeof value.field === 'string' ? `.${value.field}` : '';
      for (const [key, part] of Object.entries(value)) walk(part, `${place}${field}.${key}`);
    } else if (value !== undefined) leaves.set(place, String(value));
  };
  walk(match, 'match');
  walk(instructions, 'instructions');
  return leaves;
}

function isMasked(value: unknown): value is Masked<unknown> {
  return typeof value === 'object' && value !== null && Object.keys(value).join() === 'value,mask';
}
