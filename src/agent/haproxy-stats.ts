/** HAProxy's statistics as what the model knows of a balancer. */
import { sumCounters } from '../model/counters.ts';
import { isAskedThroughSwitches } from '../model/health.ts';
import {
  type Counters,
  type LoadBalancer,
  type Member,
  type MemberHealth,
  NO_COUNTERS,
  type Observation,
} from '../model/types.ts';
import { isServedHere } from './haproxy-backend.ts';

/** The question whose answers `observation` reads; `parseServers` of haproxy-state.ts reads them, too. */
export const ASK_ALL = '@1 show info; @1 show stat; @1 show servers state';

export interface ObservationContext {
  readonly loadBalancer: LoadBalancer;
  /** What was seen before, be it by another agent. */
  readonly before: Observation | undefined;
}

/**
 * What HAProxy has seen for a load balancer: reads answers to ASK_ALL, one or more in a row, oldest first. Undefined if
 * there is none. What is not in the load balancer is left out.
 *
 * Counters go on where they were when another worker takes over, be it after a reload or a new start; what an old worker
 * counts after the last look at it is lost. Request errors of a listener are requests that were malformed or broken off
 * (HAProxy's `ereq`, Octavia's `request_errors`); of a member, connections to it that failed and responses that broke off
 * (`econ`, `eresp`).
 *
 * A member that is disabled is OFFLINE, and so is one with a health monitor before the first probe; one that is found to be
 * down is in ERROR; of the others, one with weight 0 is DRAINING and one without a monitor has NO_MONITOR. A member that
 * this balancer does not use has no health, nor has one that the controllers ask: they tell it themselves.
 */
export function observation(text: string, { loadBalancer, before }: ObservationContext): Observation | undefined {
  let known = before;
  for (const sample of samplesIn(text)) known = seen(sample, loadBalancer, known);
  return known === before ? undefined : known;
}

/** HAProxy's columns that are read here. All come before those with free text, so commas separate them. */
const COLUMNS = {
  pxname: 'proxy',
  svname: 'name',
  scur: 'active',
  stot: 'total',
  bin: 'bytesIn',
  bout: 'bytesOut',
  ereq: 'requestErrors',
  econ: 'connectErrors',
  eresp: 'responseErrors',
  status: 'status',
  check_status: 'checkStatus',
} as const;
type Row = Readonly<Record<(typeof COLUMNS)[keyof typeof COLUMNS], string>>;

interface Sample {
  /** Names the process that counts. */
  readonly worker: string;
  readonly rows: readonly Row[];
}

function seen({ worker, rows }: Sample, loadBalancer: LoadBalancer, known: Observation | undefined): Observation {
  const current = currentCounters(rows);
  const counters: Record<string, Counters> = {};
  const base: Record<string, Counters> = {};
  for (const id of countedIds(loadBalancer)) {
    const now = current.get(id) ?? NO_COUNTERS;
    const was = known?.counters[id] ?? NO_COUNTERS;
    const start = known?.base[id] ?? NO_COUNTERS;
    // A new worker begins at 0, and so does a server that was removed and added again.
    const isContinued =
      known?.worker === worker && was.totalConnections - start.totalConnections <= now.totalConnections;
    const from = isContinued ? start : { ...was, activeConnections: 0 };
    if (from !== NO_COUNTERS) base[id] = from;
    counters[id] = sumCounters(from, now);
  }
  return { memberHealth: healthIn(rows, loadBalancer), counters, base, worker };
}

function countedIds({ listeners, pools }: LoadBalancer): string[] {
  const members = pools.filter(isServedHere).flatMap((pool) => pool.members);
  return [...listeners.filter(isServedHere), ...members].map(({ id }) => id);
}

/** By listener and member; a member's are the sum of its servers. */
function currentCounters(rows: readonly Row[]): Map<string, Counters> {
  const counters = new Map<string, Counters>();
  for (const row of rows) {
    const { proxy, name, active, total, bytesIn, bytesOut, requestErrors, connectErrors, responseErrors } = row;
    if (name === 'BACKEND') continue;
    const id = name === 'FRONTEND' ? proxy : name;
    const counted: Counters = {
      activeConnections: Number(active),
      totalConnections: Number(total),
      bytesIn: Number(bytesIn),
      bytesOut: Number(bytesOut),
      packetsIn: 0,
      packetsOut: 0,
      requestErrors: Number(requestErrors) + Number(connectErrors) + Number(responseErrors),
    };
    counters.set(id, sumCounters(counters.get(id) ?? NO_COUNTERS, counted));
  }
  return counters;
}

function healthIn(rows: readonly Row[], loadBalancer: LoadBalancer): Record<string, MemberHealth> {
  const rowOf = new Map(rows.map((row) => [row.name, row]));
  const pools = loadBalancer.pools.filter((pool) => !isAskedThroughSwitches(loadBalancer, pool));
  const health = pools.flatMap(({ members }) =>
    members.flatMap((member) => {
      const row = rowOf.get(member.id);
      return row === undefined ? [] : [[member.id, healthOf(row, member)] as const];
    }),
  );
  return Object.fromEntries(health);
}

function healthOf({ status, checkStatus }: Row, { weight, adminStateUp }: Member): MemberHealth {
  if (!adminStateUp || status.startsWith('MAINT')) return 'OFFLINE';
  // A star says that a probe is under way.
  if (status.startsWith('DOWN')) return /^(\* )?INI$/.test(checkStatus) ? 'OFFLINE' : 'ERROR';
  if (weight === 0) return 'DRAINING';
  return status === 'no check' ? 'NO_MONITOR' : 'ONLINE';
}

function samplesIn(text: string): Sample[] {
  return text.split(/^(?=Name: )/m).flatMap((part) => {
    const value = (name: string): string | undefined => new RegExp(`^${name}: (.*)$`, 'm').exec(part)?.[1];
    const table = /^# (pxname,.*)\n((?:.+\n?)*)/m.exec(part);
    if (table === null || value('Pid') === undefined) return [];
    return [{ worker: `${value('Pid')}@${value('Start_time_sec')}`, rows: rowsIn(table[1]!, table[2]!) }];
  });
}

function rowsIn(header: string, lines: string): Row[] {
  const titles = header.split(',');
  const columns = Object.entries(COLUMNS).map(([title, name]) => [name, titles.indexOf(title)] as const);
  return lines
    .trim()
    .split('\n')
    .map((line) => {
      const values = line.split(',');
      return Object.fromEntries(columns.map(([name, index]) => [name, values[index] ?? ''])) as Row;
    });
}
