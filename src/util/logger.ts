/** The log of a process that stays: pino, one line per event, no secrets. */
import { type DestinationStream, type LevelWithSilent, type Logger, pino } from 'pino';

/** Wherever an object that is logged has one of these, its value is not printed. */
const SECRETS = [
  'password',
  'original_password',
  'secret',
  'token',
  'authorization',
  'cookie',
  'x-auth-token',
  'x-subject-token',
];
const DEPTHS = ['', '*.', '*.*.', '*.*.*.'];

const redact = {
  paths: DEPTHS.flatMap((depth) => SECRETS.map((name) => redactPath(depth, name))),
  censor: '[withheld]',
};

function redactPath(depth: string, name: string): string {
  return name.includes('-') ? `${depth.replace(/\.$/, '')}["${name}"]` : `${depth}${name}`;
}

/** Logs to the file, else to stderr; or wherever `stream` says. */
export function createLogger(level: LevelWithSilent, file?: string, stream?: DestinationStream): Logger {
  const destination = stream ?? pino.destination(file === undefined ? 2 : { dest: file, append: true, sync: true });
  return pino({ level, base: null, redact }, destination);
}
