/** What protocols of listeners and pools run over. */
import type { ListenerProtocol, PoolProtocol } from './types.ts';

export const TRANSPORTS = ['tcp', 'udp', 'sctp'] as const;
/** In the words of OpenFlow's matches. Each has ports of its own. */
export type Transport = (typeof TRANSPORTS)[number];
/** Their numbers in IP's header. */
export const IP_PROTOCOL: Readonly<Record<Transport, number>> = { tcp: 6, udp: 17, sctp: 132 };

export function transportOf(protocol: ListenerProtocol | PoolProtocol): Transport {
  if (protocol === 'UDP') return 'udp';
  return protocol === 'SCTP' ? 'sctp' : 'tcp';
}
