/** What answers a first packet that nobody can serve: of TCP a reset (RFC 9293, section 3.10.7.1), of others an ICMP error. Pure. */
import { IP_PROTOCOL } from '../model/transport.ts';
import { readEnds, readHeader } from './ends.ts';
import { macText } from './packets.ts';
import { probeFrame, type Route, TCP_FLAG } from './probe-packets.ts';

const NOTHING = new Uint8Array(0);

/**
 * The frame that refuses what an untagged frame begins, back to its sender, from where it was sent to. Undefined for what
 * is not to be answered: what is cut short, no first packet, of other protocols, or from no single machine.
 */
export function refusalFrame(frame: Uint8Array): Uint8Array | undefined {
  const [ends, header] = [readEnds(frame), readHeader(frame)];
  if (ends === undefined || header === undefined || (frame[6]! & 1) === 1) return undefined;
  const { start, end, packetEnd } = header;
  const route: Route = {
    ...{ source: ends.destination, sourceMac: macText(frame.subarray(0, 6)), vlan: 0 },
    ...{ target: ends.source, targetMac: macText(frame.subarray(6, 12)) },
  };
  if (ends.protocol === IP_PROTOCOL.udp || ends.protocol === IP_PROTOCOL.sctp) {
    return probeFrame({ kind: 'unreachable', quoted: frame.subarray(start, packetEnd) }, route);
  }
  if (ends.protocol !== IP_PROTOCOL.tcp || frame.length < end + 20) return undefined;
  const view = new DataView(frame.buffer, frame.byteOffset + end, frame.length - end);
  const flags = view.getUint8(13);
  if ((flags & (TCP_FLAG.syn | TCP_FLAG.ack | TCP_FLAG.rst)) !== TCP_FLAG.syn) return undefined;
  const data = Math.max(0, packetEnd - end - (view.getUint8(12) >> 4) * 4);
  // The SYN itself counts for one.
  const ack = (view.getUint32(4) + 1 + data) >>> 0;
  const { rst, ack: acknowledges } = TCP_FLAG;
  const ports = { from: ends.destinationPort, to: ends.sourcePort };
  return probeFrame({ kind: 'tcp', ...ports, seq: 0, ack, flags: rst | acknowledges, data: NOTHING }, route);
}
