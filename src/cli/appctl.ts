/** Asks the ovs-vswitchd of a host, where that runs on this machine. */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { dirname, join } from 'node:path';
import type { Facts } from '../explain/facts.ts';
import type { Appctl } from '../explain/follow.ts';
import { CliError } from './io.ts';

const DAEMON = 'ovs-vswitchd';
const ANSWER_LIMIT_BYTES = 64 << 20;
const TIMEOUT_S = 30;
/** What the tool itself logs goes before what it says. */
const LOG_LINE = /^\d{4}-\d\d-\d\dT[^|]*\|/;

export interface AppctlInit {
  readonly host: Facts['host'];
  /** What `ovs-appctl --target` takes; default: found by the host's remote. */
  readonly target?: string | undefined;
  readonly signal: AbortSignal;
}

/** Runs `ovs-appctl` on the host's ovs-vswitchd. Throws CliError when the host is another machine, or has none. */
export function createAppctl({ host, target = targetOf(host), signal }: AppctlInit): Appctl {
  return (words) =>
    new Promise((resolve, reject) => {
      const args = [`--timeout=${TIMEOUT_S}`, '--target', target, ...words];
      execFile('ovs-appctl', args, { signal, maxBuffer: ANSWER_LIMIT_BYTES }, (error, stdout, stderr) => {
        if (error === null) return resolve(stdout);
        if (signal.aborted) return reject(error);
        const lines = stderr.split('\n').filter((line) => line.trim() !== '' && !LOG_LINE.test(line));
        const said = lines[0]?.trim();
        reject(new CliError(failureOf(host, said ?? error.message, 'code' in error && error.code === 'ENOENT')));
      });
    });
}

function failureOf({ name }: Facts['host'], said: string, isMissing: boolean): string {
  if (isMissing) return 'ovs-appctl is not installed here: it comes with Open vSwitch';
  if (/cannot connect|No such file|pid/.test(said))
    return `${said}: does ${DAEMON} of ${name} run here? --target PATH names its .ctl socket`;
  return `Open vSwitch refuses: ${said}`;
}

function targetOf({ name, remote }: Facts['host']): string {
  if (remote.startsWith('unix:')) return socketBeside(remote.slice('unix:'.length)) ?? DAEMON;
  const address = /^(?:tcp|ssl):\[?([^\]]+)\]?:\d+$/.exec(remote)?.[1] ?? '';
  if (isOurs(address)) return DAEMON;
  throw new CliError(
    `host ${name} is another machine (${remote}): run this there, with --target ${DAEMON} and --api URL of the controller`,
  );
}

/** The unixctl socket in the folder of an OVSDB socket; undefined where there is none. */
function socketBeside(database: string): string | undefined {
  const folder = dirname(database);
  const pidFile = join(folder, `${DAEMON}.pid`);
  if (existsSync(pidFile)) {
    const socket = join(folder, `${DAEMON}.${readFileSync(pidFile, 'utf8').trim()}.ctl`);
    if (existsSync(socket)) return socket;
  }
  const sockets = existsSync(folder) ? readdirSync(folder).filter((file) => /vswitchd.*\.ctl$/.test(file)) : [];
  return sockets.length === 1 ? join(folder, sockets[0]!) : undefined;
}

function isOurs(address: string): boolean {
  if (address === 'localhost' || address === '::1' || address.startsWith('127.')) return true;
  return Object.values(networkInterfaces()).some((all) => all?.some((one) => one.address === address));
}
