/** A trace in words: table after table, where the packet ends, and why. */
import { type Flow, flowKey, parseMatch, printFlow, TextError } from '../openflow/index.ts';
import { deniedFlows, leaseFlows } from '../pipeline/asking.ts';
import { isLease, isSession, readCookie } from '../pipeline/ids.ts';
import { readSession, sessionFlow } from '../pipeline/sessions.ts';
import { type ExplainedFlows, type FlowLine, wordsOf } from './flows.ts';
import type { FollowedPass } from './follow.ts';
import { memberWords, type Names } from './names.ts';
import { type Outcome, outcomeOf } from './outcome.ts';
import type { PacketState } from './packet.ts';
import { reasonsFor } from './reasons.ts';
import { tableName } from './templates.ts';
import type { TraceStep } from './trace.ts';

export interface ToldStep {
  readonly table: number;
  /** Empty for tables that are not ours. */
  readonly name: string;
  readonly words: string;
  /** Whose flow matched; empty for flows that are not ours. */
  readonly object: string;
  readonly match: string;
  /** Whether the controller wants this flow here; null for flows that are not ours. */
  readonly wanted: boolean | null;
}

export interface ToldPass {
  /** Why the packet comes by once more; empty for its arrival. */
  readonly title: string;
  readonly flow: string;
  readonly steps: readonly ToldStep[];
  readonly datapath_actions: string;
}

export interface Told {
  readonly passes: readonly ToldPass[];
  readonly outcome: Outcome;
  /** Likely reasons for what should not be; empty when all is as it should be. */
  readonly reasons: readonly string[];
}

export interface TellInit {
  readonly passes: readonly FollowedPass[];
  readonly names: Names;
  /** The host's flows as they should be. */
  readonly wanted: ExplainedFlows;
  readonly state: PacketState;
}

/** Pure: everything it says follows from what it is given. */
export function tell({ passes, names, wanted, state }: TellInit): Told {
  const byKey = new Map(wanted.flows.map((line) => [flowKey(line.flow), line]));
  const told = passes.map((pass) => ({
    title: titleOf(pass, names),
    flow: pass.flow,
    steps: pass.steps.map((step, at) => toldStep(step, pass.steps.slice(at + 1), { byKey, names, pass })),
    datapath_actions: pass.datapathActions,
  }));
  const outcome = outcomeOf(passes, told.at(-1)?.steps.at(-1)?.words ?? '', names);
  return { passes: told, outcome, reasons: reasonsFor({ told, outcome, names, passes, state }) };
}

function titleOf({ resumes, flow, translated }: FollowedPass, names: Names): string {
  const zone = /ct_zone=(\d+)/.exec(flow)?.[1];
  const state = /ct_state=([^,]*)/.exec(flow)?.[1];
  if (zone === undefined && state === undefined) return resumes;
  const change = translated === '' ? '' : `: ${translated}`;
  return `back from conntrack, ${names.zone(Number(zone ?? 0))}, as ${stateWords(state ?? '')}${change}`;
}

function stateWords(state: string): string {
  const flags = new Set(state.split('|'));
  if (flags.has('inv')) return 'not valid';
  if (flags.has('rpl')) return 'a reply';
  return flags.has('est') ? 'part of a known connection' : flags.has('new') ? 'a new connection' : state;
}

interface Around {
  readonly byKey: ReadonlyMap<string, FlowLine>;
  readonly names: Names;
  readonly pass: FollowedPass;
}

function toldStep(step: TraceStep, later: readonly TraceStep[], { byKey, names, pass }: Around): ToldStep {
  const { table, match, cookie } = step;
  const isOurs = readCookie(cookie) !== undefined;
  const line = byKey.get(keyOf(step)) ?? passingLine(step, names);
  const words = line !== undefined ? line.words || line.text : strangeWords(step, isOurs);
  return {
    table,
    name: tableName(table) ?? '',
    words: [words, ...groupWords(step, later, { names, pass }), ...normalWords(step)].join(', '),
    object: names.object(cookie),
    match: [...(match === undefined ? ['no match'] : match === '' ? [] : [match]), `priority ${step.priority}`].join(
      ', ',
    ),
    wanted: isOurs ? line !== undefined : null,
  };
}

/** A flow that the controller puts beside what is desired: a lease or a session. */
function passingLine(step: TraceStep, names: Names): Pick<FlowLine, 'words' | 'text'> | undefined {
  const flow = isLease(step.cookie) ? leaseAt(step) : isSession(step.cookie) ? sessionAt(step) : undefined;
  return flow && { words: wordsOf(flow, names), text: printFlow(flow) };
}

function leaseAt({ table, match }: TraceStep): Flow | undefined {
  const port = /in_port=(\d+)/.exec(match ?? '')?.[1];
  const flows = port === undefined ? leaseFlows() : deniedFlows(Number(port));
  return flows.find(({ tableId }) => tableId === table);
}

function sessionAt({ cookie, match = '' }: TraceStep): Flow | undefined {
  const session = readSession({ cookie, match: parseMatch(match) });
  return session && sessionFlow(session, 0);
}

/** What tells the flow that matched from others; empty when it cannot be read. */
function keyOf({ table, match, priority }: TraceStep): string {
  if (match === undefined) return '';
  try {
    return flowKey({ ...NO_FLOW, tableId: table, priority, match: parseMatch(match) });
  } catch (error) {
    if (error instanceof TextError) return '';
    throw error;
  }
}
const NO_FLOW = { cookie: 0n, idleTimeout: 0, hardTimeout: 0, flags: 0, importance: 0, instructions: [] };

function strangeWords({ match, actions }: TraceStep, isOurs: boolean): string {
  if (match === undefined) return 'dropped: no flow matches';
  const done = actions.join(', ') || 'drop';
  return isOurs ? `a flow that the controller does not want here: ${done}` : `a flow of the bridge's owner: ${done}`;
}

/** Which member a group chose. */
function groupWords(
  { actions, notes }: TraceStep,
  later: readonly TraceStep[],
  { names, pass }: Pick<Around, 'names' | 'pass'>,
): readonly string[] {
  if (!actions.some((action) => action.startsWith('group:'))) return [];
  const slot = notes.map((note) => /^using bucket (\d+)/.exec(note)?.[1]).find((found) => found !== undefined);
  const key = later
    .map(({ match }) => /\breg6=(0x[0-9a-f]+)/.exec(match ?? '')?.[1])
    .find((found) => found !== undefined);
  const member = key === undefined ? undefined : names.member(Number(key));
  if (member === undefined) return notes.includes('no live bucket') ? ['but no member can be chosen'] : [];
  const how = pass.assumedHash ? `, if the datapath's hash of addresses and ports says so` : '';
  return [`${slot === undefined ? '' : `slot ${slot} → `}member ${memberWords(member.member)}${how}`];
}

function normalWords({ actions, notes }: TraceStep): readonly string[] {
  if (!actions.includes('NORMAL')) return [];
  return notes.filter((note) => /MAC|port|drop/.test(note));
}
