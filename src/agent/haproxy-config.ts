/** HAProxy's configuration for a load balancer: a pure function, so the text can be read, compared and tested. */
import { createHash } from 'node:crypto';
import type { LoadBalancer } from '../model/types.ts';
import { backendLines, servicesOf, TABLES, tableLines } from './haproxy-backend.ts';
import { frontendLines } from './haproxy-frontend.ts';
import { poolWords, type Server, serversOf } from './haproxy-servers.ts';

export interface ProxyConfig {
  readonly text: string;
  /**
   * Names all of the text but which servers there are, their weights and states: those change while HAProxy runs, all else
   * takes a reload. HAProxy tells it as its `description`.
   */
  readonly version: string;
  readonly servers: readonly Server[];
}

export interface ProxySurroundings {
  readonly statsSocket: string;
  /** What is known of servers' health at a start: see `stateFile` of haproxy-state.ts. */
  readonly stateFile: string;
  /** An empty folder. */
  readonly chroot: string;
  /** The process' limit of open files. */
  readonly maxFiles: number;
  /** Concurrent connections of all listeners, as far as open files allow them; undefined = a sensible number. */
  readonly maxConnections: number | undefined;
  /** Addresses of members that are VMs of this host. */
  readonly localAddresses: ReadonlySet<string>;
  /** Ids of members that get no connections, because others have not found them well. */
  readonly illMembers: ReadonlySet<string>;
}

/** A connection takes two descriptors; listeners, sockets and the poller want some, too. */
const SPARE_FILES = 200;
/** Keeps the tables that HAProxy makes at its start small. */
const MAX_CONNECTIONS = 8192;
/**
 * How long connections may go on after what they use has gone: those of a worker after a reload, and those to a member that
 * was removed.
 */
export const DRAIN_SECONDS = 3600;
/** How many reloads a worker with open connections survives; each such worker takes some megabytes. */
const MAX_RELOADS = 10;
/** Within what time a pool's first probes are sent, rather than in the course of the interval. */
const SPREAD_CHECKS_MS = 200;

/**
 * A connection that a member refuses is tried with another one at once, three times. ROUND_ROBIN goes on to the next; the
 * other algorithms only avoid the one that failed last, so two dead members can keep a client among themselves. A member
 * that does not answer takes the listener's `timeout_member_connect` each time. Only a health monitor can know before.
 */
const DEFAULTS = [
  'load-server-state-from-file global',
  'retries 3',
  'option redispatch 1',
  'option allbackups',
] as const;

/**
 * Renders a load balancer: a frontend per listener that is served, and a backend per pool that serves. Other listeners have no
 * frontend: their port refuses connections.
 */
export function renderConfig(loadBalancer: LoadBalancer, surroundings: ProxySurroundings): ProxyConfig {
  const services = servicesOf(loadBalancer.listeners);
  const used = services.flatMap(({ backend, policies }) => [backend, ...policies.map((one) => one.backend)]);
  const backends = [...new Set(used)].filter((backend) => backend !== undefined);
  const servers = new Map(backends.map((backend) => [backend, serversOf(backend, surroundings)]));
  const tables = tableLines(backends);
  const lines = (version: string, ofServers: (backend: (typeof backends)[number]) => readonly string[]): string =>
    [
      section('global', globalLines(surroundings, { version, hasTables: tables.length > 0 })),
      section('defaults', DEFAULTS),
      ...(tables.length === 0 ? [] : [section(`peers ${TABLES}`, peerLines(loadBalancer.id, tables))]),
      ...services.map((service) =>
        section(`frontend ${service.listener.id}`, frontendLines(service, loadBalancer.vips)),
      ),
      ...backends.map((backend) =>
        section(`backend ${backend.name}`, [...backendLines(backend), ...ofServers(backend)]),
      ),
    ].join('\n');
  const version = createHash('sha256')
    .update(lines('', ({ pool }) => poolWords(pool)))
    .digest('hex')
    .slice(0, 16);
  return {
    text: lines(version, (backend) => servers.get(backend)!.map(serverLine)),
    version,
    servers: [...servers.values()].flat(),
  };
}

const section = (head: string, lines: readonly string[]): string =>
  `${head}\n${lines.map((line) => `  ${line}\n`).join('')}`;

function serverLine({ name, words, isEnabled }: Server): string {
  return `server ${name.slice(name.indexOf('/') + 1)} ${words}${isEnabled ? '' : ' disabled'}`;
}

function globalLines(
  { statsSocket, stateFile, chroot, maxFiles, maxConnections = MAX_CONNECTIONS }: ProxySurroundings,
  { version, hasTables }: { readonly version: string; readonly hasTables: boolean },
): string[] {
  const maxConn = Math.max(1, Math.min(maxConnections, Math.floor((maxFiles - SPARE_FILES) / 2)));
  return [
    `description ${version}`,
    'nbthread 1',
    `maxconn ${maxConn}`,
    `max-spread-checks ${SPREAD_CHECKS_MS}`,
    `hard-stop-after ${DRAIN_SECONDS}s`,
    `mworker-max-reloads ${MAX_RELOADS}`,
    ...(hasTables ? ['localpeer self'] : []),
    `chroot ${chroot}`,
    'uid 65534',
    'gid 65534',
    // Listening sockets are handed to the next worker, so that a reload refuses nobody.
    `stats socket ${statsSocket} mode 600 level admin expose-fd listeners`,
    `server-state-file ${stateFile}`,
  ];
}

/** At a reload, the old worker tells the new one what its tables hold, over a socket without a file: it cannot see any. */
function peerLines(loadBalancerId: string, tables: readonly string[]): string[] {
  return [`bind abns@hostlb-${loadBalancerId}`, 'server self', ...tables];
}
