/** Scripts for the shell of a balancer's virtual machine: Busybox, HAProxy, ip (scripts/image). Pure. */

import { CHECK } from './runtime.ts';

/** Where the machine's HAProxy has its files; the machine has nobody else. */
export const GUEST = {
  statsSocket: '/run/stats.sock',
  stateFile: '/run/servers.state',
  chroot: '/var/empty',
  maxFiles: 65_536,
} as const;

const CONFIG = '/run/haproxy.cfg';
const CANDIDATE = '/run/candidate.cfg';
const LOG = '/run/haproxy.log';
/** Of the master, while nobody has asked it to end. */
const PID = '/run/haproxy.pid';
/** The master's command port: on the loopback of the machine, so no tenant reaches it. */
const MASTER = { host: '127.0.0.1', port: 65_535 } as const;
/** Its line in the kernel's list of sockets; 0A is listening. */
const MASTER_LISTENS = ':FFFF 00000000:0000 0A';

/** Prints the master's pid, fails when none runs. */
export const MASTER_PID = `kill -0 $(cat ${PID}) && cat ${PID}`;
export const READ_LOG = `cat ${LOG} 2>/dev/null || :`;
export const CLEAR_LOG = `: >${LOG}`;

/**
 * Ends what runs, keeps the configuration and starts HAProxy with it; prints the master's pid when it listens, ended or took
 * its time. Its end is said on the channel.
 */
export const startScript = (config: string): string => `${stopScript(0)}
${writeScript(config)}
: >${LOG}
(
  setsid haproxy -W -S ${MASTER.host}:${MASTER.port} -f ${CONFIG} >>${LOG} 2>&1 </dev/null 3>&- 4>&- &
  pid=$!
  echo $pid >${PID}.new
  mv ${PID}.new ${PID}
  wait $pid
  echo "ended $pid $?" | say
) >/dev/null 2>&1 &
until [ -e ${PID} ]; do usleep 2000; done
read -r pid <${PID}
for turn in $(seq 100); do
  if grep -q '${MASTER_LISTENS}' /proc/net/tcp || ! kill -0 $pid 2>/dev/null; then break; fi
  usleep 50000
done
echo $pid`;

/** Ends HAProxy: within `graceMs` kindly, then hard. */
export function stopScript(graceMs: number): string {
  const turns = Math.ceil(graceMs / 20);
  return `if [ ${turns} -gt 0 ] && kill -USR1 $(cat ${PID}); then
  for turn in $(seq ${turns}); do pidof haproxy >/dev/null || break; usleep 20000; done
fi 2>/dev/null
rm -f ${PID}
while pids=$(pidof haproxy); do kill -9 $pids; usleep 2000; done`;
}

/** Keeps a configuration, whole or not at all. */
export const writeScript = (config: string): string => `${heredoc(CANDIDATE, config)}\nmv ${CANDIDATE} ${CONFIG}`;

export const writeStatesScript = (states: string): string => heredoc(GUEST.stateFile, states);

/** Prints what HAProxy says of a configuration, and last that it is valid, if it is. */
export const checkScript = (config: string): string =>
  `${heredoc(CANDIDATE, config)}\nhaproxy ${CHECK.join(' ')} ${CANDIDATE} && echo ${VALID} || :`;
export const VALID = 'is valid';

/** Prints what the master answers to a line. */
export const askScript = (line: string, timeoutMs: number): string =>
  `printf '%s\\n' ${quoted(line)} | timeout ${Math.ceil(timeoutMs / 1000)} nc ${MASTER.host} ${MASTER.port}`;

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** A mark that no line of the text is. */
function heredoc(file: string, text: string): string {
  let mark = 'END';
  while (`\n${text}\n`.includes(`\n${mark}\n`)) mark += 'D';
  return `cat >${file} <<'${mark}'\n${text.endsWith('\n') ? text : `${text}\n`}${mark}`;
}
