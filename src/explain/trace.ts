/**
 * What `ofproto/trace` prints, as a value.
 *
 *   pass    from the packet's arrival, or from where conntrack or a hash hands it back, to the actions of the datapath
 *   step    a table, the flow that matched there, and what it did
 */

/** A table that the packet came to. */
export interface TraceStep {
  readonly table: number;
  /** Steps inside a group's bucket or a resubmit lie deeper. */
  readonly depth: number;
  /** In ovs-ofctl syntax; undefined: no flow matched. */
  readonly match: string | undefined;
  readonly priority: number;
  readonly cookie: bigint;
  /** As OVS prints them, in order. */
  readonly actions: readonly string[];
  /** What OVS says about them: the lines with `->`. */
  readonly notes: readonly string[];
}

export interface TracePass {
  /** What it resumes from, e.g. `recirc(0x1) - resume conntrack with ct_state=est|trk`; empty for the arrival. */
  readonly resumes: string;
  /** The packet as it arrives or comes back. */
  readonly flow: string;
  /** The bridge it came to first. */
  readonly bridge: string;
  /** The table it goes on at, after a recirculation or as a packet that was handed to a table. */
  readonly table: number | undefined;
  readonly steps: readonly TraceStep[];
  /** The packet at the end. */
  readonly final: string;
  readonly datapathActions: string;
  /** Empty, or why the switch gave up on it. */
  readonly failure: string;
}

/** A trace that is none: `text` is what was said instead, in one line. */
export class TraceError extends Error {
  override readonly name = 'TraceError';
}

const STEP = /^(\s*)(\d+)\. (.*)$/;
const KEYS = /^(.*?)(?:(?:, |^)priority (\d+))?(?:, cookie (0x[0-9a-f]+))?$/;
const DEFAULT_PRIORITY = 32768;

/** Throws TraceError when the text has no pass. */
export function parseTrace(text: string): readonly TracePass[] {
  const passes: TracePass[] = [];
  for (const [resumes = '', body = ''] of text.split(/^={20,}$/m).reduce<string[][]>(intoSections, [])) {
    passes.push(parsePass(resumes.trim().split('\n')[0]!, body, announced(passes.at(-1))));
  }
  if (passes[0]!.flow === '') {
    throw new TraceError(text.trim().split('\n')[0] || 'it printed nothing');
  }
  return passes;
}

/** The first section has no title; each later one is a title, then a body. */
function intoSections(sections: string[][], part: string, index: number): string[][] {
  if (index === 0) sections.push(['', part]);
  else if (index % 2 === 1) sections.push([part]);
  else sections.at(-1)!.push(part);
  return sections;
}

interface Open {
  readonly head: Omit<TraceStep, 'actions' | 'notes'>;
  readonly actions: string[];
  readonly notes: string[];
}

function parsePass(resumes: string, body: string, resumeAt: number | undefined): TracePass {
  const lines = body.split('\n');
  const after = (label: string) =>
    lines
      .find((line) => line.startsWith(label))
      ?.slice(label.length)
      .trim() ?? '';
  const flow = after('Flow: ');
  const final = after('Final flow: ');
  const end = lines.findIndex((line) => line.startsWith('Final flow:'));
  const steps: Open[] = [];
  for (const line of lines.slice(0, end < 0 ? undefined : end)) {
    const found = STEP.exec(line);
    if (found !== null) steps.push(openStep(found));
    else if (/^ {4}/.test(line)) addTo(steps.at(-1), line.trim());
  }
  const goesOn = /(?:^-+\n {4}resubmit\(,|Resuming from table )(\d+)/m.exec(body)?.[1];
  return {
    resumes,
    flow,
    bridge: /^bridge\("(.*)"\)$/m.exec(body)?.[1] ?? '',
    table: goesOn === undefined ? resumeAt : Number(goesOn),
    steps: steps.map(({ head, actions, notes }) => ({ ...head, actions, notes })),
    final: final === 'unchanged' ? flow : final,
    datapathActions: after('Datapath actions: '),
    failure: /^Translation failed \((.*)\)/m.exec(body)?.[1] ?? '',
  };
}

/** Where a pass says that the packet will go on. */
function announced(pass: TracePass | undefined): number | undefined {
  const notes = pass?.steps.flatMap((step) => step.notes) ?? [];
  const found = notes
    .map((note) => /will be resumed at table (\d+)/.exec(note)?.[1])
    .findLast((one) => one !== undefined);
  return found === undefined ? undefined : Number(found);
}

function openStep([, indent, table, rest]: RegExpExecArray): Open {
  const [, match = '', priority, cookie] = KEYS.exec(rest!)!;
  const missed = match === 'No match.';
  return {
    head: {
      table: Number(table),
      depth: indent!.length >> 2,
      match: missed ? undefined : match,
      priority: priority === undefined ? DEFAULT_PRIORITY : Number(priority),
      cookie: BigInt(cookie ?? 0),
    },
    actions: [],
    notes: [],
  };
}

/** OVS prints the translation of a `ct` once more by itself, and each bucket that it weighs. */
function addTo(step: Open | undefined, line: string): void {
  if (line.startsWith('->')) {
    if (!/^-> bucket \d+: score/.test(line)) step?.notes.push(line.slice(2).trim());
  } else if (!/^(nat(\(.*\))?|bucket \d+)$/.test(line)) step?.actions.push(line);
}

/** A packet's fields as OVS prints them; words such as `tcp` have an empty value. */
export function fieldsOf(flow: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  for (const part of flow.split(',')) {
    const at = part.indexOf('=');
    if (at < 0) fields.set(part.trim(), '');
    else fields.set(part.slice(0, at).trim(), part.slice(at + 1));
  }
  return fields;
}
