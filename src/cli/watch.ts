import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, InvalidArgumentError } from 'commander';
import { ClientError } from '../api/client.ts';
import type { Io } from './io.ts';
import { type CommonOptions, openSession, reads, type Session, seconds } from './session.ts';

const DEFAULT_PERIOD_SECONDS = 2;
const SHORTEST_PERIOD_SECONDS = 0.1;
/** Cursor to the upper left corner, and nothing left on the screen. */
const CLEAR = '\x1b[H\x1b[2J';

export interface ListOptions extends CommonOptions {
  /** Seconds between two looks; true = the default. */
  readonly watch?: number | true;
}

/** Adds the options of a command that lists. */
export function lists(command: Command): Command {
  return reads(command).option(
    '--watch [seconds]',
    `look again and again until interrupted (default: every ${DEFAULT_PERIOD_SECONDS} s), and print what differs`,
    period,
  );
}

/**
 * Lets `print` list once, or with `--watch` until the user interrupts: each list that differs from the one before, on a
 * terminal in its place, elsewhere below it. An API that cannot be reached for a while ends no watch.
 */
export async function listing(io: Io, options: ListOptions, print: (session: Session) => Promise<void>): Promise<void> {
  const { watch } = options;
  if (watch === undefined) return print(openSession(io, options));
  const periodMs = (watch === true ? DEFAULT_PERIOD_SECONDS : watch) * 1000;
  let before: string | undefined;
  for (;;) {
    const text = await seen(io, options, print);
    if (text !== before) io.stdout.write(io.stdout.isTTY === true ? `${CLEAR}${text}` : separated(text, before));
    before = text;
    await sleep(periodMs, undefined, { signal: io.signal });
  }
}

/** What `print` prints now. */
async function seen(io: Io, options: ListOptions, print: (session: Session) => Promise<void>): Promise<string> {
  const parts: string[] = [];
  const stdout = { write: (text: string) => parts.push(text) };
  try {
    await print(openSession({ ...io, stdout }, options));
  } catch (error) {
    if (!(error instanceof ClientError) || error.kind !== 'unreachable') throw error;
    return `${error.message}\n`;
  }
  return parts.join('');
}

function separated(text: string, before: string | undefined): string {
  return before === undefined ? text : `\n${text}`;
}

function period(text: string): number {
  const value = seconds(text);
  if (value < SHORTEST_PERIOD_SECONDS) throw new InvalidArgumentError(`Must be at least ${SHORTEST_PERIOD_SECONDS}.`);
  return value;
}
