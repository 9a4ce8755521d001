/** Between whom a frame goes, read from its headers. */
import { addressFromBytes } from '../model/addresses.ts';

const ETH_VLAN = 0x8100;
const ETH_IPV4 = 0x0800;
const ETH_IPV6 = 0x86dd;

export interface Ends {
  readonly protocol: number;
  readonly source: string;
  readonly sourcePort: number;
  readonly destination: string;
  readonly destinationPort: number;
}

/** The two ends of a packet of a protocol with ports; undefined for fragments, extension headers, and what is cut short. */
export function readEnds(frame: Uint8Array): Ends | undefined {
  if (frame.length < 18) return undefined;
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const at = view.getUint16(12) === ETH_VLAN ? 18 : 14;
  const type = view.getUint16(at - 2);
  const header = type === ETH_IPV4 ? ipv4(frame, at) : type === ETH_IPV6 ? ipv6(frame, at) : undefined;
  if (header === undefined || frame.length < header.end + 4) return undefined;
  const { protocol, addresses, size, end } = header;
  return {
    protocol,
    source: addressFromBytes(frame.subarray(addresses, addresses + size)),
    sourcePort: view.getUint16(end),
    destination: addressFromBytes(frame.subarray(addresses + size, addresses + 2 * size)),
    destinationPort: view.getUint16(end + 2),
  };
}

interface Header {
  readonly protocol: number;
  /** Where the source stands, and the destination after it. */
  readonly addresses: number;
  readonly size: 4 | 16;
  /** Where the header ends. */
  readonly end: number;
}

function ipv4(frame: Uint8Array, at: number): Header | undefined {
  const isLaterFragment = ((frame[at + 6]! & 0x1f) | frame[at + 7]!) !== 0;
  if (frame.length < at + 20 || isLaterFragment) return undefined;
  return { protocol: frame[at + 9]!, addresses: at + 12, size: 4, end: at + (frame[at]! & 15) * 4 };
}

function ipv6(frame: Uint8Array, at: number): Header | undefined {
  if (frame.length < at + 40) return undefined;
  return { protocol: frame[at + 6]!, addresses: at + 8, size: 16, end: at + 40 };
}

/** The same connection seen from the other end. */
export function reversed({ protocol, source, sourcePort, destination, destinationPort }: Ends): Ends {
  return {
    protocol,
    ...{ source: destination, sourcePort: destinationPort },
    ...{ destination: source, destinationPort: sourcePort },
  };
}
