/** Actions and instructions from ovs-ofctl syntax (ovs-actions(7)), in the form in which Open vSwitch reports them in 1.5. */
import { type Action, IN_PORT_16, TABLE_CURRENT } from '../protocol/action.ts';
import { type ActionContext, number, tableOf, valueText } from './context.ts';
import { parseController } from './controller-parse.ts';
import { parseCt } from './ct-parse.ts';
import { TextError } from './errors.ts';
import { FIELDS, fieldNamed } from './fields.ts';
import { checkNeeds } from './match-parse.ts';
import { ETH_TYPE, type Facts, NEEDS } from './needs.ts';
import { type Input, lift, liftList, type Part, part } from './part.ts';
import {
  parseCheckPacket,
  parseConjunction,
  parseDecTtl,
  parseEnqueue,
  parseFinTimeout,
  parseMultipath,
  parseNote,
} from './rare-parse.ts';
import { decodeBig, decodeNumber, decodePort, RESERVED_PORTS, toPort16 } from './scalar.ts';
import { cut, entry, fail, type Item, items, type Span, splitAt, trim } from './scan.ts';
import { checkWritable, parseSet, setField, subfield } from './set-parse.ts';

type Parse = (item: Item, context: ActionContext) => Part<Action> | readonly Part<Action>[];

const CONTROLLER_BYTES = 0xffff;

/** An action that is its name alone. */
const bare =
  (action: Action): Parse =>
  ({ value, whole, key }) =>
    value !== undefined && value.text !== '' ? fail(whole, `${key.text} takes no value`) : action;
/** An action with one number. */
const numbered =
  (bits: number, build: (n: number) => Action): Parse =>
  (item, { scope }) =>
    lift({ n: part(valueText(item), scope, number(bits)) }, ({ n }) => build(n));
/** An older action that sets one field to what its value says. */
const mod =
  (name: string, decode?: (input: Input) => number): Parse =>
  (item, context) => {
    const field = fieldFor(name, context.facts);
    checkWritable(field, context.facts, item.whole);
    return setField(field, valueText(item), context, decode);
  };

function fieldFor(name: string, { nwProto }: Facts) {
  const transport = nwProto === 17 ? 'udp' : nwProto === 132 ? 'sctp' : 'tcp';
  return name.startsWith('tp_') ? FIELDS[`${transport}_${name.slice(3)}` as 'tcp_src'] : fieldNamed(name)!;
}

/** A port that packets can be sent to: all but two of the names (1.5 §7.2.2.1). */
function decodeOutputPort(input: Input, ports: ActionContext['ports']): number {
  const port = decodePort(input, ports);
  const name = ['ANY', 'UNSET'].find((one) => RESERVED_PORTS[one] === port);
  if (name !== undefined) throw new TextError(`nothing can be output to port ${name}`, { token: String(input) });
  return port;
}

const outputTo = (port: number): Action => ({
  kind: 'output',
  port,
  maxLen: port === RESERVED_PORTS.CONTROLLER ? CONTROLLER_BYTES : 0,
});

function parseOutput(item: Item, context: ActionContext): Part<Action> {
  const { scope, ports } = context;
  const value = valueText(item);
  if (item.parenthesised && value.text.includes('=')) {
    const options = new Map(items(value).map((option) => [option.key.text, valueText(option)]));
    const port = options.get('port') ?? fail(item.whole, 'output(...) needs a port');
    const maxLen = options.get('max_len') ?? fail(item.whole, 'output(...) needs max_len');
    return lift(
      {
        port: part(port, scope, (input) => decodePort(input, ports)),
        maxLen: part(maxLen, scope, number(32)),
      },
      (it) => ({ kind: 'output_trunc', port: toPort16(it.port), maxLen: it.maxLen }),
    );
  }
  const name = /^[A-Za-z_0-9]+(?=\[|$)/.exec(value.text)?.[0];
  if (
    name !== undefined &&
    fieldNamed(name) !== undefined &&
    entry(ports, value.text) === undefined &&
    !isReserved(value.text)
  ) {
    const source = subfield(value);
    if (source.nBits > 32) fail(value, 'a port has at most 32 bits');
    return { kind: 'output_reg', ofsNbits: source.ofsNbits, src: source.field.name, maxLen: CONTROLLER_BYTES };
  }
  return lift({ port: part(value, scope, (input) => decodeOutputPort(input, ports)) }, ({ port }) => outputTo(port));
}

const isReserved = (name: string) => entry(RESERVED_PORTS, name.toUpperCase()) !== undefined;

function parseResubmit(item: Item, context: ActionContext): Part<Action> {
  const value = item.value ?? fail(item.whole, 'resubmit needs a port or table');
  const parts = item.parenthesised ? value.text.split(',') : [value.text];
  if (parts.length > 3 || (parts.length === 3 && parts[2] !== 'ct')) fail(value, 'expected resubmit(port,table[,ct])');
  const portText = trim(cut(value, 0, parts[0]!.length));
  const tableText = trim(cut(value, parts[0]!.length + 1, parts[0]!.length + 1 + (parts[1] ?? '').length));
  if (portText.text === '' && tableText.text === '') fail(item.whole, 'resubmit needs a port or table');
  const { scope, ports } = context;
  const inPort =
    portText.text === '' ? IN_PORT_16 : part(portText, scope, (input) => toPort16(decodePort(input, ports)));
  const tableId = tableText.text === '' ? TABLE_CURRENT : tableOf(tableText, context);
  if (parts.length === 3 && !NEEDS.connection[1](context.facts))
    fail(item.whole, `resubmit with ct needs ${NEEDS.connection[0]} in the match`);
  const kind = parts.length === 3 ? 'resubmit_table_ct' : 'resubmit_table';
  return lift({ inPort, tableId }, (it) => ({ kind, ...it }));
}

/** The subfields on the sides of `->`. */
function arrow(text: Span): readonly [Span, Span] {
  const sides = splitAt(text, '->') ?? fail(text, "expected '->'");
  return [trim(sides[0]), trim(sides[1])];
}

function parseMove(item: Item, { facts }: ActionContext): Action {
  const [from, to] = arrow(valueText(item));
  const src = subfield(from);
  const dst = subfield(to);
  if (src.nBits !== dst.nBits) fail(item.whole, `cannot move ${src.nBits} bits to ${dst.nBits}`);
  checkNeeds(src.field, facts, from);
  checkWritable(dst.field, facts, to);
  return {
    kind: 'move',
    nBits: src.nBits,
    srcOffset: src.offset,
    dstOffset: dst.offset,
    src: src.field.name,
    dst: dst.field.name,
  };
}

/** `load:value->field[low..high]`: in 1.5 a masked set_field. */
function parseLoad(item: Item, context: ActionContext): Part<Action> {
  const [text, to] = arrow(valueText(item));
  const dst = subfield(to);
  checkWritable(dst.field, context.facts, to);
  const { field, offset, nBits } = dst;
  const value = part(text, context.scope, (input) => decodeBig(input, Math.min(nBits, 64)) << BigInt(offset));
  const whole = nBits === field.bits;
  const mask = ((1n << BigInt(nBits)) - 1n) << BigInt(offset);
  const like = (n: bigint) => (field.big ? n : Number(n));
  return lift({ value }, (it) => {
    const set = { kind: 'set_field', field: field.name, value: like(it.value) };
    return (whole ? set : { ...set, mask: like(mask) }) as Action;
  });
}

const stack =
  (kind: 'stack_push' | 'stack_pop'): Parse =>
  (item, { facts }) => {
    const text = valueText(item);
    const { field, offset, nBits } = subfield(text);
    if (kind === 'stack_pop') checkWritable(field, facts, text);
    return { kind, offset, field: field.name, nBits } as Action;
  };

const ethType = (kind: 'push_vlan' | 'push_mpls' | 'pop_mpls' | 'push_pbb') =>
  numbered(16, (type) => ({ kind, ethType: type }));

/** `mod_vlan_vid` and `mod_vlan_pcp` add a tag to packets that lack one; `set_vlan_vid` and `set_vlan_pcp` do not. */
const vlan =
  (field: 'vlan_vid' | 'vlan_pcp', pushes: boolean): Parse =>
  (item, context) => {
    const set =
      field === 'vlan_pcp'
        ? setField(FIELDS.vlan_pcp, valueText(item), context)
        : setField(FIELDS.vlan_vid, valueText(item), context, (input) => decodeNumber(input, 12) | 0x1000);
    const tagged = context.facts.vlan === true || context.facts.vlan === 'open';
    if (!tagged && !pushes) fail(item.whole, `${item.key.text} needs ${NEEDS.vlan[0]} in the match`);
    return tagged ? [set] : [{ kind: 'push_vlan', ethType: 0x8100 }, set];
  };

function parseTunnel(item: Item, { scope }: ActionContext): Part<Action> {
  return lift({ value: part(valueText(item), scope, (input) => decodeBig(input, 64)) }, (it) => ({
    kind: 'set_field',
    field: 'tun_id',
    ...it,
  }));
}

const PARSERS: Readonly<Record<string, Parse>> = {
  output: parseOutput,
  in_port: bare(outputTo(RESERVED_PORTS.IN_PORT!)),
  normal: bare(outputTo(RESERVED_PORTS.NORMAL!)),
  flood: bare(outputTo(RESERVED_PORTS.FLOOD!)),
  all: bare(outputTo(RESERVED_PORTS.ALL!)),
  local: bare(outputTo(RESERVED_PORTS.LOCAL!)),
  table: bare(outputTo(RESERVED_PORTS.TABLE!)),
  controller: parseController,
  enqueue: parseEnqueue,
  group: numbered(32, (groupId) => ({ kind: 'group', groupId })),
  move: parseMove,
  load: parseLoad,
  set_field: parseSet,
  push: stack('stack_push'),
  pop: stack('stack_pop'),
  resubmit: parseResubmit,
  ct: (item, context) => parseCt(item, context, parseActionItems),
  ct_clear: bare({ kind: 'ct_clear' }),
  clone: (item, context) =>
    lift(
      { actions: liftList(parseActionItems(items(item.value ?? fail(item.whole, 'clone needs actions')), context)) },
      (it) => ({
        kind: 'clone',
        ...it,
      }),
    ),
  note: parseNote,
  exit: bare({ kind: 'exit' }),
  meter: numbered(32, (meterId) => ({ kind: 'meter', meterId })),
  set_queue: numbered(32, (queueId) => ({ kind: 'set_queue', queueId })),
  pop_queue: bare({ kind: 'pop_queue' }),
  push_vlan: ethType('push_vlan'),
  pop_vlan: bare({ kind: 'pop_vlan' }),
  strip_vlan: bare({ kind: 'pop_vlan' }),
  mod_vlan_vid: vlan('vlan_vid', true),
  mod_vlan_pcp: vlan('vlan_pcp', true),
  set_vlan_vid: vlan('vlan_vid', false),
  set_vlan_pcp: vlan('vlan_pcp', false),
  push_mpls: ethType('push_mpls'),
  pop_mpls: ethType('pop_mpls'),
  set_mpls_label: mod('mpls_label'),
  set_mpls_tc: mod('mpls_tc'),
  set_mpls_ttl: numbered(8, (ttl) => ({ kind: 'set_mpls_ttl', ttl })),
  dec_mpls_ttl: bare({ kind: 'dec_mpls_ttl' }),
  dec_ttl: parseDecTtl,
  mod_nw_ttl: numbered(8, (ttl) => ({ kind: 'set_ttl', ttl })),
  mod_dl_src: mod('eth_src'),
  mod_dl_dst: mod('eth_dst'),
  mod_nw_src: mod('ip_src'),
  mod_nw_dst: mod('ip_dst'),
  mod_nw_tos: mod('ip_dscp', (input) => {
    const tos = decodeNumber(input, 8);
    if ((tos & 3) !== 0) throw new TextError(`nw_tos has its lower two bits zero, not ${input}`);
    return tos >> 2;
  }),
  mod_nw_ecn: mod('nw_ecn'),
  mod_tp_src: mod('tp_src'),
  mod_tp_dst: mod('tp_dst'),
  set_tunnel: parseTunnel,
  set_tunnel64: parseTunnel,
  fin_timeout: parseFinTimeout,
  conjunction: parseConjunction,
  multipath: parseMultipath,
  check_pkt_larger: parseCheckPacket,
};

/** What an action needs of the packets. */
const ACTION_NEEDS: Readonly<Record<string, keyof typeof NEEDS>> = {
  ct: 'ip_any',
  dec_ttl: 'ip_any',
  mod_nw_ttl: 'ip_any',
  pop_vlan: 'vlan',
  strip_vlan: 'vlan',
  pop_mpls: 'mpls',
  dec_mpls_ttl: 'mpls',
  set_mpls_ttl: 'mpls',
};

/** The context behind an action that changes what the packets are. */
function after(item: Item, context: ActionContext): ActionContext {
  const { facts } = context;
  const name = item.key.text.toLowerCase();
  switch (name) {
    case 'push_vlan':
    case 'mod_vlan_vid':
    case 'mod_vlan_pcp':
      return { ...context, facts: { ...facts, vlan: true } };
    case 'pop_vlan':
    case 'strip_vlan':
      return { ...context, facts: { ...facts, vlan: 'open' } };
    case 'push_mpls':
      return { ...context, facts: { ...facts, ethType: ETH_TYPE.mpls, nwProto: undefined } };
    case 'pop_mpls':
      if (item.value?.text.startsWith('${'))
        return { ...context, facts: { ...facts, ethType: 'open', nwProto: 'open' } };
      return { ...context, facts: { ...facts, ethType: decodeNumber(valueText(item).text, 16), nwProto: 'open' } };
    default:
      return context;
  }
}

/** Parses the items of a list of actions. Throws TextError. */
export function parseActionItems(list: readonly Item[], context: ActionContext): readonly Part<Action>[] {
  const actions: Part<Action>[] = [];
  let here = context;
  for (const item of list) {
    actions.push(...[parseOne(item, here)].flat());
    here = after(item, here);
  }
  return actions;
}

function parseOne(item: Item, context: ActionContext): Part<Action> | readonly Part<Action>[] {
  const name = item.key.text.toLowerCase();
  const parser = entry(PARSERS, name);
  if (parser === undefined) {
    if (item.value !== undefined) return fail(item.key, `unknown action '${item.key.text}'`);
    const { ports, scope } = context;
    if (!/^(\d|\$)/.test(name) && entry(ports, item.key.text) === undefined)
      fail(item.key, `unknown action or port '${item.key.text}'`);
    return lift({ port: part(item.key, scope, (input) => decodeOutputPort(input, ports)) }, ({ port }) =>
      outputTo(port),
    );
  }
  const need = entry(ACTION_NEEDS, name);
  if (need !== undefined && !NEEDS[need][1](context.facts))
    fail(item.whole, `${name} needs ${NEEDS[need][0]} in the match`);
  return parser(item, context);
}
