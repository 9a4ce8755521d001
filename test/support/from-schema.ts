/** Values that a JSON Schema describes, and ones that it does not, for fast-check. */
import fc from 'fast-check';
import { openApi, type Schema } from '../../src/api/description/openapi.ts';

/** Stands for the id of an object that exists: of which kind, and which of them. */
export const PLACEHOLDER = /<(\w+) (\d+)>/g;

const DEEPEST = 7;
const LONGEST = 2;
const MOST_OPTIONAL = 4;

/** Texts that are trouble anywhere. */
const TROUBLE = [
  ...['x'.repeat(300), '\u0000', '\ud800', '../..', '%2e', "' or 1=1", '__proto__', '', '-1', 'None', '10.0.0.0/33'],
];

/** Texts that attributes of such names take. */
const FITTING: readonly (readonly [RegExp, readonly string[]])[] = [
  [/^(network|vip_network_id)$/, ['blue', 'blue', 'blue', 'green']],
  [/^host$/, ['h1']],
  [/^(addresses|address|monitor_address|ip_address)$/, ['10.0.0.21', '10.0.0.22', 'fd00::21', '10.0.0.7', 'fd00::0:9']],
  [/^(vip_address|vips)$/, ['10.0.0.101', '10.0.0.102', '10.0.0.103', 'fd00::101', '10.0.0.100']],
  [/^(subnets|allowed_cidrs)$/, ['10.0.0.0/24', 'fd00::/64', '10.1.0.0/16', '192.0.2.0/24']],
  [/^balancer_range$/, ['10.0.0.240-10.0.0.250', '10.0.0.240']],
  [/^(provider|provider_name|placement)$/, ['switch', 'switch', 'namespace', 'container', 'vm']],
  [/^flavor_data$/, ['{}', '{"vcpus":1}', '{"memory_mib":64,"max_connections":100}', '{"vcpus":']],
  [/^availability_zone_data$/, ['{"hosts":["h1"]}', '{"hosts":[]}', '{']],
  [/^availability_zone$/, ['rack1', 'rack1', 'rack2']],
  [/^remote$/, ['tcp:192.0.2.1:6640', 'unix:/run/db.sock', 'ptcp:6640']],
  [/^cookie_name$/, ['SID', 'a b']],
  [/^redirect_(url|prefix)$/, ['http://x.example/', 'https://x.example/a?b=c', 'ftp://x']],
  [/^key$/, ['X-Way', 'a b']],
  [/^value$/, ['/a', '"a b"', '^/(a|b)$', '(a', '-f']],
  [/^url_path$/, ['/', '/health?x=1']],
  [/^(http_method)$/, ['GET', 'HEAD']],
  [/^expected_codes$/, ['200', '200-204', '200,201']],
  [/^(password|secret|original_password)$/, ['correct horse', 'long enough a secret']],
  [/^methods$/, ['password', 'token']],
  [/^persistence_granularity$/, ['255.255.255.0', '255.255.0.255']],
];

const NAMES = ['web', 's1', 'c1', 'small', 'acme', 'ann', 'żółć', 'a b', 'X-Forwarded-For'];

/** A text for what has this name. */
export function textFor(name: string): fc.Arbitrary<string> {
  const [, fitting = NAMES] = FITTING.find(([names]) => names.test(name)) ?? [];
  const id = fc.nat(9).map((n) => `<${name.replace(/_id$/, '')} ${n}>`);
  const right = name.endsWith('_id') && fitting === NAMES ? id : fc.constantFrom(...fitting);
  const wrong = fc.oneof(fc.constantFrom(...TROUBLE), id, fc.string({ unit: 'binary', maxLength: 8 }));
  return fc.oneof({ arbitrary: right, weight: 40 }, { arbitrary: wrong, weight: 1 });
}

/** What fits no schema, or only by chance. */
const junk = fc.oneof(
  fc.constantFrom(null, true, 0, -1, 1.5, 2 ** 53, 1e308, '', [], {}, [[[[]]]]),
  fc.jsonValue({ maxDepth: 2 }),
);

/** A value for the schema, with now and then something wrong in it. */
export function valueFor(schema: Schema, name = '', depth = 0): fc.Arbitrary<unknown> {
  return fc.oneof({ arbitrary: rightFor(schema, name, depth), weight: 60 }, { arbitrary: junk, weight: 1 });
}

function rightFor(schema: Schema, name: string, depth: number): fc.Arbitrary<unknown> {
  const { $ref: reference, anyOf, enum: values, type } = schema;
  if (reference !== undefined)
    return rightFor(openApi().components.schemas[reference.split('/').at(-1)!]!, name, depth);
  if (anyOf !== undefined) return fc.oneof(...anyOf.map((one) => rightFor(one, name, depth)));
  if (values !== undefined) return fc.constantFrom(...values);
  if ('const' in schema) return fc.constant(schema.const);
  const make = MAKERS[[type].flat()[0] ?? ''];
  return make === undefined ? fc.constant(schema.default ?? null) : make(schema, name, depth);
}

const MAKERS: Readonly<Record<string, (schema: Schema, name: string, depth: number) => fc.Arbitrary<unknown>>> = {
  object: objectFor,
  array: ({ items }, name, depth) =>
    depth >= DEEPEST || !items ? fc.constant([]) : fc.array(valueFor(items, name, depth + 1), { maxLength: LONGEST }),
  boolean: () => fc.boolean(),
  integer: ({ minimum = 0, maximum = 100 }) => fc.constantFrom(minimum, Math.min(minimum + 1, maximum), maximum),
  number: () => fc.constantFrom(0.5, 1, 2),
  string: (_schema, name) => textFor(name),
  null: () => fc.constant(null),
};

/** All that must be in it, a few of the others, and seldom a stranger. */
function objectFor({ properties = {}, required = [] }: Schema, _name: string, depth: number): fc.Arbitrary<unknown> {
  const must = required.filter((key) => key in properties);
  const may = depth >= DEEPEST ? [] : Object.keys(properties).filter((key) => !must.includes(key));
  const chosen = fc.subarray(may, { maxLength: Math.min(MOST_OPTIONAL, may.length) });
  const valuesOf = (keys: readonly string[]) =>
    fc.record(Object.fromEntries(keys.map((key) => [key, valueFor(properties[key]!, key, depth + 1)])));
  const whole = chosen.chain((some) => valuesOf([...must, ...some]));
  const stranger = fc.tuple(whole, fc.constantFrom(...NAMES, '__proto__'), junk);
  const strange = stranger.map(([object, key, value]) => ({ ...object, [key]: value }));
  return fc.oneof({ arbitrary: whole, weight: 40 }, { arbitrary: strange, weight: 1 });
}
