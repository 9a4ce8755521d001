/** What protocols of listeners and pools run over. */
import type { ListenerProtocol, PoolProtocol } from './types.ts';

export const TRANSPORTS = ['tcp', 'udp', 'sctp'] as const;
/** In the words of OpenFlow's matches. Each has ports of its own. */
export type Transport = (typeof TRANSPORTS)[number];

export function transportOf(protocol: ListenerProtocol | PoolProtocol): Transport {
  if (protocol === 'UDP') return 'udp';
  return protocol === 'SCTP' ? 'sctp' : 'tcp';
}
