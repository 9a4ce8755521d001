/** What each placement can serve. One row per placement; a request outside its row is refused, naming one that can. */
import { ModelError } from './errors.ts';
import { LIMITS } from './limits.ts';
import { servedBy, transportOf } from './transport.ts';
import type {
  Algorithm,
  ListenerProtocol,
  Locality,
  MonitorType,
  PersistenceType,
  Placement,
  Pool,
  PoolProtocol,
  ReturnPath,
  UntilReady,
} from './types.ts';
import { PLACEMENTS } from './types.ts';

export interface Capabilities {
  readonly protocol: readonly ListenerProtocol[];
  readonly poolProtocol: readonly PoolProtocol[];
  readonly lb_algorithm: readonly Algorithm[];
  readonly locality: readonly Locality[];
  readonly session_persistence: readonly PersistenceType[];
  readonly healthmonitor: readonly MonitorType[];
  readonly return_path: readonly ReturnPath[];
  readonly until_ready: readonly UntilReady[];
  /** Attributes of listeners, pools and members that it heeds beyond their default; in the API's words. */
  readonly attributes: readonly Attribute[];
  /** Members that a pool may have. In the switch each needs a slot, and a group has at most 256. */
  readonly maxMembers: number;
  /** For lists of providers. */
  readonly description: string;
}

export type Attribute =
  | 'connection_limit'
  | 'timeouts'
  | 'insert_headers'
  | 'allowed_cidrs'
  | 'l7policies'
  | 'backup'
  | 'monitor_address'
  | 'monitor_port'
  | 'slow_start'
  | 'when_empty'
  | 'persistence_timeout'
  | 'persistence_granularity'
  | 'flavor';

/** All placements outside the switch run the same HAProxy. UDP and SCTP are the switch's, with what it does there: see `servedBy`. */
const PROXY = {
  protocol: ['TCP', 'HTTP', 'HTTPS'],
  poolProtocol: ['TCP', 'HTTP', 'HTTPS', 'PROXY', 'PROXYV2'],
  lb_algorithm: ['ROUND_ROBIN', 'LEAST_CONNECTIONS', 'SOURCE_IP', 'SOURCE_IP_PORT'],
  locality: ['none', 'prefer', 'only'],
  session_persistence: ['SOURCE_IP', 'HTTP_COOKIE', 'APP_COOKIE'],
  healthmonitor: ['TCP', 'HTTP', 'HTTPS', 'TLS-HELLO', 'PING'],
  return_path: ['balancer'],
  until_ready: ['hold', 'switch'],
  attributes: [
    'connection_limit',
    'timeouts',
    'insert_headers',
    'allowed_cidrs',
    'l7policies',
    'backup',
    'monitor_address',
    'monitor_port',
    'slow_start',
    'flavor',
  ],
  maxMembers: LIMITS.membersPerPool,
} as const satisfies Omit<Capabilities, 'description'>;

export const CAPABILITIES: Readonly<Record<Placement, Capabilities>> = {
  switch: {
    protocol: ['TCP', 'UDP', 'SCTP', 'HTTPS'],
    poolProtocol: ['TCP', 'UDP', 'SCTP', 'HTTPS'],
    lb_algorithm: ['SOURCE_IP_PORT', 'SOURCE_IP', 'ROUND_ROBIN', 'LEAST_CONNECTIONS'],
    locality: ['none', 'prefer', 'only'],
    session_persistence: ['SOURCE_IP'],
    healthmonitor: ['TCP', 'HTTP', 'PING', 'UDP-CONNECT'],
    return_path: ['balancer', 'direct'],
    until_ready: ['hold'],
    attributes: [
      'allowed_cidrs',
      'backup',
      'monitor_address',
      'monitor_port',
      'when_empty',
      'persistence_timeout',
      'persistence_granularity',
    ],
    maxMembers: 256,
    description: "Balancers are flows of the host's Open vSwitch",
  },
  namespace: { ...PROXY, description: 'Balancers are HAProxy in a network namespace of the host' },
  container: { ...PROXY, description: 'Balancers are HAProxy in a container of the host (podman)' },
  vm: { ...PROXY, description: 'Balancers are HAProxy in a virtual machine of the host (libvirt)' },
};

export const DEFAULT_PLACEMENT: Placement = 'switch';

/** The columns of the table that list what values an option may have. */
type Option = {
  [K in keyof Capabilities]: Capabilities[K] extends readonly string[] ? K : never;
}[keyof Capabilities];

/** What is asked to serve something: a placement, for listeners and pools of a protocol where that makes a difference. */
export interface Asked {
  readonly placement: Placement;
  readonly protocol?: ListenerProtocol | PoolProtocol;
}

/** Throws ModelError('unsupported') when the placement cannot serve the option with this value. */
export function requireOption<O extends Option>(asked: Asked, option: O, value: Capabilities[O][number]): void {
  const name = option === 'attributes' ? value : `${option === 'poolProtocol' ? 'protocol' : option} ${value}`;
  requireCapability(asked, name, (can) => (can[option] as readonly string[]).includes(value));
}

/** Where members answer themselves all hosts must choose alike for every packet: nothing with a memory can. */
export function requireReturnPath(
  placement: Placement,
  returnPath: ReturnPath,
  { algorithm, sessionPersistence }: Pick<Pool, 'algorithm' | 'sessionPersistence'>,
): void {
  if (returnPath !== 'direct') return;
  const refuse = (what: string) => {
    const message = `${what} with return_path direct (with return_path balancer it does)`;
    throw new ModelError('unsupported', `Provider '${placement}' does not support a requested option: ${message}`);
  };
  if (algorithm !== 'SOURCE_IP' && algorithm !== 'SOURCE_IP_PORT') refuse(`lb_algorithm ${algorithm}`);
  if (sessionPersistence !== undefined) refuse(`session_persistence ${sessionPersistence.type}`);
}

/** Throws ModelError('unsupported') when the placement cannot serve a pool of so many members. */
export function requireMembers(asked: Asked, count: number): void {
  requireCapability(asked, `a pool of ${count} members`, (can) => count <= can.maxMembers);
}

function requireCapability({ placement, protocol }: Asked, what: string, serves: (can: Capabilities) => boolean): void {
  const can = (one: Placement) => serves(CAPABILITIES[protocol === undefined ? one : servedBy(one, protocol)]);
  if (can(placement)) return;
  const others = PLACEMENTS.filter(can);
  const hint =
    others.length === 0 ? 'no placement does' : others.length === 1 ? `${others[0]} does` : `${others.join(', ')} do`;
  const of = protocol === undefined || transportOf(protocol) === 'tcp' ? '' : ` with protocol ${protocol}`;
  throw new ModelError(
    'unsupported',
    `Provider '${placement}' does not support a requested option: ${what}${of} (${hint})`,
  );
}
