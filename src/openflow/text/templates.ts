/**
 * Flow templates: ovs-ofctl syntax with `${variables}`, in units that `#@ name` lines open. A unit `#@ name tcp|udp|sctp` is
 * written for the first of these words and is several: `name`, and `name/udp` and `name/sctp` with that word in its place.
 */
import { TextError } from './errors.ts';
import type { Flow } from './flow.ts';
import { flowPart, type ParseOptions } from './flow-parse.ts';
import { Hole, type Input } from './part.ts';
import { span } from './scan.ts';

/** Values of a template's variables: numbers as numbers, addresses and names as text. */
export type Variables = Readonly<Record<string, string | number>>;

/** One flow of a unit, parsed. */
export interface FlowTemplate {
  readonly unit: string;
  /** Its line in the file, from 1. */
  readonly line: number;
  /** Names of its variables, in order of appearance. */
  readonly variables: readonly string[];
  /**
   * The flow with the variables filled in. Every variable must be given; others are ignored, since the flows of one unit
   * are given the same. Throws TextError that names file, line and variable.
   */
  instantiate(variables: Variables): Flow;
}

export interface TemplatesOptions extends ParseOptions {
  /** Name of the file, for errors. */
  readonly file: string;
}

/** Parses a file of templates. `#` begins a comment line, `#@ name` or `#@ name WORD|WORD…` a unit. Throws TextError. */
export function parseTemplates(text: string, { file, ...options }: TemplatesOptions): readonly FlowTemplate[] {
  const templates: FlowTemplate[] = [];
  let units: readonly NamedUnit[] | undefined;
  for (const [index, raw] of text.split('\n').entries()) {
    const place = { file, line: index + 1 };
    const line = raw.trim();
    const opened = /^#@\s*(.*)$/.exec(line);
    if (opened !== null) {
      units = unitsOf(opened[1]!.trim(), place);
    } else if (line !== '' && !line.startsWith('#')) {
      if (units === undefined) throw new TextError("a flow before the first '#@ unit' line", place);
      for (const { unit, rewrite } of units) templates.push(template(rewrite(raw), { unit, place, options }));
    }
  }
  return templates;
}

interface NamedUnit {
  readonly unit: string;
  /** Puts its word into a line. */
  rewrite(line: string): string;
}

function unitsOf(heading: string, place: TemplateInit['place']): readonly NamedUnit[] {
  const [, name, words] = /^([\w-]+)(?:\s+(\w+(?:\|\w+)+))?$/.exec(heading) ?? [];
  if (name === undefined) throw new TextError(`expected a unit name after '#@', not '${heading}'`, place);
  const [first, ...others] = words?.split('|') ?? [];
  // `tcp6` is the word with a family; `tcp_flags` is another word.
  const pattern = new RegExp(`\\b${first}(?=6?\\b)`, 'g');
  return [
    { unit: name, rewrite: (line) => line },
    ...others.map((word) => ({ unit: `${name}/${word}`, rewrite: (line: string) => line.replace(pattern, word) })),
  ];
}

interface TemplateInit {
  readonly unit: string;
  readonly place: { readonly file: string; readonly line: number };
  readonly options: ParseOptions;
}

function template(text: string, { unit, place, options }: TemplateInit): FlowTemplate {
  const variables: string[] = [];
  const parsed = inPlace(place, () => flowPart(span(text), { ...options, scope: { variables } }));
  const fill = parsed instanceof Hole ? parsed.fill : () => parsed;
  const instantiate = (given: Variables) => {
    try {
      return fill(inputs(variables, given));
    } catch (error) {
      throw error instanceof TextError ? error.at(place) : error;
    }
  };
  return { unit, line: place.line, variables, instantiate };
}

function inPlace<T>(place: TemplateInit['place'], run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw error instanceof TextError ? error.at(place) : error;
  }
}

function inputs(variables: readonly string[], given: Variables): readonly Input[] {
  const values: Input[] = [];
  for (const variable of variables) {
    const value = given[variable];
    if (value === undefined) throw new TextError('is not given', { variable });
    values.push(value);
  }
  return values;
}
