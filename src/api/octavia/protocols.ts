import { L7_RULE_TYPES, type L7RuleType } from '../../model/l7.ts';
import {
  ALGORITHMS,
  type Algorithm,
  LISTENER_PROTOCOLS,
  type ListenerProtocol,
  MONITOR_TYPES,
  type MonitorType,
  POOL_PROTOCOLS,
  type PoolProtocol,
} from '../../model/types.ts';
import { unsupported } from '../errors.ts';
import { choice } from '../fields.ts';

/** Everything that Octavia knows: a name outside is a mistake (400), a name that no placement serves is not (501). */
export const listenerProtocol = choice(['TCP', 'UDP', 'SCTP', 'HTTP', 'HTTPS', 'TERMINATED_HTTPS', 'PROMETHEUS']);
export const poolProtocol = choice(['TCP', 'UDP', 'SCTP', 'HTTP', 'HTTPS', 'PROXY', 'PROXYV2']);
export const algorithm = choice(['ROUND_ROBIN', 'LEAST_CONNECTIONS', 'SOURCE_IP', 'SOURCE_IP_PORT']);
export const monitorType = choice(['TCP', 'HTTP', 'HTTPS', 'TLS-HELLO', 'PING', 'UDP-CONNECT', 'SCTP']);
const SSL_RULE_TYPES = ['SSL_CONN_HAS_CERT', 'SSL_VERIFY_RESULT', 'SSL_DN_FIELD'] as const;
export const l7RuleType = choice([...L7_RULE_TYPES, ...SSL_RULE_TYPES]);

/** Throws ApiError 501. */
export function servedL7RuleType(placement: string, name: string): L7RuleType {
  return served(L7_RULE_TYPES, name, placement, `l7rule ${name}`);
}

/** Throws ApiError 501. */
export function servedListenerProtocol(placement: string, name: string): ListenerProtocol {
  return served(LISTENER_PROTOCOLS, name, placement, `protocol ${name}`);
}

/** Throws ApiError 501. */
export function servedPoolProtocol(placement: string, name: string): PoolProtocol {
  return served(POOL_PROTOCOLS, name, placement, `protocol ${name}`);
}

/** Throws ApiError 501. */
export function servedAlgorithm(placement: string, name: string): Algorithm {
  return served(ALGORITHMS, name, placement, `lb_algorithm ${name}`);
}

/** Throws ApiError 501. */
export function servedMonitorType(placement: string, name: string): MonitorType {
  return served(MONITOR_TYPES, name, placement, `healthmonitor ${name}`);
}

function served<T extends string>(known: readonly T[], name: string, placement: string, option: string): T {
  const found = known.find((candidate) => candidate === name);
  if (found === undefined) throw unsupported(placement, option);
  return found;
}
