/** What HAProxy says of its servers, and what the next one is told of them. */
import { AgentError } from './errors.ts';
import type { Server } from './haproxy-servers.ts';

/** A server of HAProxy as it is. */
export interface RunningServer {
  /** `BACKEND/MEMBER` */
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly weight: number;
  /** Gets connections, as far as it is well. */
  readonly isEnabled: boolean;
  /** Gets none, not even of clients that persist on it. */
  readonly isInMaintenance: boolean;
  readonly isBackup: boolean;
  readonly isChecked: boolean;
  readonly checkAddress: string | undefined;
  readonly checkPort: number | undefined;
  readonly isUp: boolean;
  /** Since it was last enabled, disabled, or came up or went down. */
  readonly secondsInState: number;
  readonly lastProbe: 'none' | 'failed' | 'passed';
  /** HAProxy's number of what the last probe found. */
  readonly probeStatus: number;
}

/** Columns of `show servers state`, version 1. */
const COLUMNS = {
  backend: 1,
  server: 3,
  address: 4,
  operation: 5,
  admin: 6,
  weight: 7,
  seconds: 9,
  probeStatus: 10,
  probeResult: 11,
  checkState: 13,
  port: 18,
  checkPort: 21,
  checkAddress: 22,
} as const;
const COLUMN_COUNT = 25;
const STOPPED = 0;
const MAINTENANCE = 1;
/** The file had it disabled once; that stays, and means nothing. */
const BORN_DISABLED = 4;
const CHECK_CONFIGURED = 2;
const RESULTS: Readonly<Record<number, RunningServer['lastProbe']>> = { 2: 'failed', 3: 'passed', 4: 'passed' };

/** The question whose answer `parseServers` reads. */
export const ASK_SERVERS = '@1 show stat -1 4 -1; @1 show servers state';

/** Reads the answer to ASK_SERVERS. Throws AgentError('no-answer') when it is not one. */
export function parseServers(answer: string): RunningServer[] {
  const lines = answer.split('\n');
  const backups = backupsIn(lines);
  if (!lines.includes('1') || backups === undefined) {
    throw new AgentError('no-answer', 'HAProxy does not tell the states of its servers');
  }
  return lines.flatMap((line) => {
    const words = line.split(' ');
    if (line.startsWith('#') || words.length < COLUMN_COUNT) return [];
    const text = (column: keyof typeof COLUMNS): string => words[COLUMNS[column]]!;
    const number = (column: keyof typeof COLUMNS): number => Number(text(column));
    const name = `${text('backend')}/${text('server')}`;
    return {
      name,
      address: text('address'),
      port: number('port'),
      weight: number('weight'),
      isEnabled: (number('admin') & ~BORN_DISABLED) === 0,
      isInMaintenance: (number('admin') & MAINTENANCE) !== 0,
      isBackup: backups.has(name),
      isChecked: (number('checkState') & CHECK_CONFIGURED) !== 0,
      checkAddress: text('checkAddress') === '-' ? undefined : text('checkAddress'),
      checkPort: number('checkPort') || undefined,
      isUp: number('operation') !== STOPPED,
      secondsInState: number('seconds'),
      lastProbe: RESULTS[number('probeResult')] ?? 'none',
      probeStatus: number('probeStatus'),
    };
  });
}

/** Only the statistics tell who is a backup. */
function backupsIn(lines: readonly string[]): Set<string> | undefined {
  const header = lines.find((line) => line.startsWith('# pxname,'));
  if (header === undefined) return undefined;
  const column = header.slice(2).split(',').indexOf('bck');
  return new Set(
    lines.flatMap((line) => {
      const values = line.split(',');
      return values.length > column && values[column] === '1' && values[1] !== 'BACKEND'
        ? [`${values[0]}/${values[1]}`]
        : [];
    }),
  );
}

const HEADER =
  '# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_time_since_last_change' +
  ' srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state bk_f_forced_id srv_f_forced_id' +
  ' srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr srv_agent_addr srv_agent_port';
/** HAProxy's numbers of what a probe found: nothing yet; a word of 0 would stop probes for ever. */
const NOT_PROBED = 1;
const RUNNING = 2;
const RESULT_NUMBERS = { none: 0, failed: 2, passed: 3 } as const;

/**
 * What HAProxy's `server-state-file` has to say at a start: a server with a health monitor is down until a probe succeeded,
 * except one that was up the last time it was seen. `seen` are the servers of the HAProxy before, if there was one.
 */
export function stateFile(servers: readonly Server[], seen: readonly RunningServer[]): string {
  const before = new Map(seen.map((server) => [memberOf(server.name), server]));
  const lines = servers.flatMap(({ name, address, port, weight, isChecked, isEnabled }) => {
    if (!isChecked || !isEnabled) return [];
    const [backend, member] = name.split('/') as [string, string];
    const was = before.get(member);
    const isUp = was?.isEnabled && was.isUp;
    const { probeStatus, lastProbe, secondsInState } =
      was?.isEnabled && was.isChecked
        ? was
        : { probeStatus: NOT_PROBED, lastProbe: 'none' as const, secondsInState: 0 };
    const probe = `${Math.max(NOT_PROBED, probeStatus)} ${RESULT_NUMBERS[lastProbe]} 0 ${CHECK_CONFIGURED | 4}`;
    const state = `${isUp ? RUNNING : STOPPED} 0 ${weight} ${weight} ${secondsInState}`;
    return `0 ${backend} 0 ${member} ${address} ${state} ${probe} 0 0 0 - ${port} - 0 0 - - 0\n`;
  });
  return `1\n${HEADER}\n${lines.join('')}`;
}

/** Servers that `stateFile` leaves down because nothing is known of them. */
export function unprovenAtStart(servers: readonly Server[], seen: readonly RunningServer[]): string[] {
  const proven = seen.filter((server) => server.isEnabled && !isUnproven(server));
  const known = new Set(proven.map(({ name }) => memberOf(name)));
  return servers
    .filter(({ name, isChecked, isEnabled }) => isChecked && isEnabled && !known.has(memberOf(name)))
    .map(({ name }) => name);
}

/** Whether it is down because its health monitor has found nothing yet. */
export const isUnproven = ({ isEnabled, isChecked, isUp, probeStatus }: RunningServer): boolean =>
  isEnabled && isChecked && !isUp && probeStatus === NOT_PROBED;

/** The member's id in a server's name. */
export const memberOf = (name: string): string => name.slice(name.indexOf('/') + 1);
