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
  const header = readHeader(frame);
  if (header === undefined || frame.length < header.end + 4) return undefined;
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const { protocol, addresses, size, end } = header;
  return {
    protocol,
    source: addressFromBytes(frame.subarray(addresses, addresses + size)),
    sourcePort: view.getUint16(end),
    destination: addressFromBytes(frame.subarray(addresses + size, addresses + 2 * size)),
    destinationPort: view.getUint16(end + 2),
  };
}

/** Of an IP packet. As offsets into its frame. */
interface Header {
  readonly protocol: number;
  /** Where it begins. */
  readonly start: number;
  /** Where the source stands, and the destination after it. */
  readonly addresses: number;
  readonly size: 4 | 16;
  /** Where the header ends. */
  readonly end: number;
  /** Where the packet ends, as it says itself: behind that there is padding, or what the frame lacks. */
  readonly packetEnd: number;
}

/** Undefined for what is no IP packet, later fragments, and headers that are cut short. */
export function readHeader(frame: Uint8Array): Header | undefined {
  if (frame.length < 18) return undefined;
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const at = view.getUint16(12) === ETH_VLAN ? 18 : 14;
  const type = view.getUint16(at - 2);
  return type === ETH_IPV4 ? ipv4(frame, at) : type === ETH_IPV6 ? ipv6(frame, at) : undefined;
}

const u16 = (frame: Uint8Array, at: number): number => (frame[at]! << 8) | frame[at + 1]!;

function ipv4(frame: Uint8Array, at: number): Header | undefined {
  const isLaterFragment = ((frame[at + 6]! & 0x1f) | frame[at + 7]!) !== 0;
  if (frame.length < at + 20 || isLaterFragment) return undefined;
  const ends = { end: at + (frame[at]! & 15) * 4, packetEnd: at + u16(frame, at + 2) };
  return { protocol: frame[at + 9]!, start: at, addresses: at + 12, size: 4, ...ends };
}

function ipv6(frame: Uint8Array, at: number): Header | undefined {
  if (frame.length < at + 40) return undefined;
  const ends = { end: at + 40, packetEnd: at + 40 + u16(frame, at + 4) };
  return { protocol: frame[at + 6]!, start: at, addresses: at + 8, size: 16, ...ends };
}

/** The same connection seen from the other end. */
export function reversed({ protocol, source, sourcePort, destination, destinationPort }: Ends): Ends {
  return {
    protocol,
    ...{ source: destination, sourcePort: destinationPort },
    ...{ destination: source, destinationPort: sourcePort },
  };
}
