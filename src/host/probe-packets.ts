/** What the controller sends for health probes and refusals, and what members answer, in Ethernet frames: TCP, UDP and ICMP over IPv4 and IPv6. Pure. */
import { addressBytes, addressFromBytes, familyOf } from '../model/addresses.ts';
import { type Asker, checksum, ETH_IPV6, ETH_VLAN, ethernet, macBytes } from './packets.ts';

export const TCP_FLAG = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16 } as const;

export interface TcpSegment {
  readonly kind: 'tcp';
  readonly from: number;
  readonly to: number;
  readonly seq: number;
  readonly ack: number;
  /** See TCP_FLAG. */
  readonly flags: number;
  readonly data: Uint8Array;
}

export interface Datagram {
  readonly kind: 'udp';
  readonly from: number;
  readonly to: number;
}

export interface Echo {
  readonly kind: 'echo';
  readonly id: number;
}

/** Nobody listens where this datagram was sent. */
export interface Refused {
  readonly kind: 'refused';
  readonly from: number;
  readonly to: number;
}

/** Nobody listens where the packet was sent that it quotes, from its IP header on. */
export interface Unreachable {
  readonly kind: 'unreachable';
  readonly quoted: Uint8Array;
}

export type ProbePacket = TcpSegment | Datagram | Echo;
export type ProbeAnswer = TcpSegment | Datagram | Echo | Refused;

export interface Route extends Asker {
  readonly target: string;
  readonly targetMac: string;
}

const ETH_IPV4 = 0x0800;
const [ICMP, TCP, UDP, ICMPV6] = [1, 6, 17, 58];
/** How much a member may send before it hears more: a status line, not a page. */
const WINDOW = 512;
const TTL = 64;
const NOTHING = new Uint8Array(0);

/** The frame that carries the packet to its target. */
export function probeFrame(packet: ProbePacket | Unreachable, route: Route): Uint8Array {
  const family = familyOf(route.source);
  const [source, target] = [[...addressBytes(route.source)], [...addressBytes(route.target)]];
  const protocol = protocolOf(packet, family);
  const body = bodyOf(packet, family);
  const at = CHECKSUM_AT[packet.kind];
  const pseudo = [...source, ...target, 0, 0, body.length >> 8, body.length & 255, 0, 0, 0, protocol];
  const sum = checksum(even([...(protocol === ICMP ? [] : pseudo), ...body]));
  // A UDP checksum of 0 would say that there is none.
  const shown = packet.kind === 'udp' && sum === 0 ? 0xffff : sum;
  const message = body.with(at, shown >> 8).with(at + 1, shown & 255);
  const header = family === 4 ? ipv4Header : ipv6Header;
  return Uint8Array.from([
    ...ethernet(macBytes(route.targetMac), route.sourceMac, route.vlan, family === 4 ? ETH_IPV4 : ETH_IPV6),
    ...header({ protocol, length: message.length, source, target }),
    ...message,
  ]);
}

const CHECKSUM_AT = { tcp: 16, udp: 6, echo: 2, unreachable: 2 } as const;

function protocolOf({ kind }: ProbePacket | Unreachable, family: 4 | 6): number {
  if (kind === 'echo' || kind === 'unreachable') return family === 4 ? ICMP : ICMPV6;
  return kind === 'tcp' ? TCP : UDP;
}

const u16 = (value: number): number[] => [(value >> 8) & 255, value & 255];
const u32 = (value: number): number[] => [...u16(value >>> 16), ...u16(value & 0xffff)];
const even = (bytes: readonly number[]): readonly number[] => (bytes.length % 2 === 0 ? bytes : [...bytes, 0]);

/** The packet behind its IP header, with a checksum of 0. */
function bodyOf(packet: ProbePacket | Unreachable, family: 4 | 6): number[] {
  switch (packet.kind) {
    case 'tcp': {
      const { from, to, seq, ack, flags, data } = packet;
      const options = (flags & TCP_FLAG.syn) === 0 ? [] : [2, 4, ...u16(WINDOW)];
      const offset = ((20 + options.length) / 4) << 4;
      return [
        ...u16(from),
        ...u16(to),
        ...u32(seq),
        ...u32(ack),
        offset,
        flags,
        ...u16(WINDOW),
        0,
        0,
        0,
        0,
        ...options,
        ...data,
      ];
    }
    case 'udp':
      return [...u16(packet.from), ...u16(packet.to), ...u16(8), 0, 0];
    case 'echo':
      return [family === 4 ? 8 : 128, 0, 0, 0, ...u16(packet.id), 0, 1];
    case 'unreachable':
      return [...(family === 4 ? [3, 3] : [1, 4]), 0, 0, 0, 0, 0, 0, ...packet.quoted];
    default:
      return packet satisfies never;
  }
}

interface HeaderFields {
  readonly protocol: number;
  readonly length: number;
  readonly source: readonly number[];
  readonly target: readonly number[];
}

function ipv4Header({ protocol, length, source, target }: HeaderFields): readonly number[] {
  const dontFragment = [0x40, 0];
  const header = [0x45, 0, ...u16(20 + length), 0, 0, ...dontFragment, TTL, protocol, 0, 0, ...source, ...target];
  const sum = checksum(header);
  return header.with(10, sum >> 8).with(11, sum & 255);
}

function ipv6Header({ protocol, length, source, target }: HeaderFields): readonly number[] {
  return [0x60, 0, 0, 0, ...u16(length), protocol, TTL, ...source, ...target];
}

/** Who answered, and what; undefined for every other frame, and for truncated ones. Checksums are the switch's business. */
export function readAnswer(frame: Uint8Array): { readonly source: string; readonly answer: ProbeAnswer } | undefined {
  if (frame.length < 18) return undefined;
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const at = view.getUint16(12) === ETH_VLAN ? 18 : 14;
  const type = view.getUint16(at - 2);
  const packet =
    type === ETH_IPV4 ? readIpv4(frame.subarray(at)) : type === ETH_IPV6 ? readIpv6(frame.subarray(at)) : undefined;
  const answer = packet && readBody(packet);
  return answer && { source: packet.source, answer };
}

interface Packet {
  readonly protocol: number;
  readonly source: string;
  readonly body: Uint8Array;
}

function readIpv4(bytes: Uint8Array): Packet | undefined {
  const headerLength = (bytes[0]! & 15) * 4;
  const isFragment = ((bytes[6]! & 0x3f) | bytes[7]!) !== 0;
  if (bytes.length < 20 || bytes[0]! >> 4 !== 4 || headerLength < 20 || isFragment) return undefined;
  const body = bytes.subarray(headerLength, (bytes[2]! << 8) | bytes[3]!);
  return { protocol: bytes[9]!, source: addressFromBytes(bytes.subarray(12, 16)), body };
}

/** Without extension headers, which nobody sends to us. */
function readIpv6(bytes: Uint8Array): Packet | undefined {
  if (bytes.length < 40 || bytes[0]! >> 4 !== 6) return undefined;
  const body = bytes.subarray(40, 40 + ((bytes[4]! << 8) | bytes[5]!));
  return { protocol: bytes[6]!, source: addressFromBytes(bytes.subarray(8, 24)), body };
}

function readBody({ protocol, body }: Packet): ProbeAnswer | undefined {
  if (body.length < 8) return undefined;
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  if (protocol === TCP) return readTcp(view, body);
  if (protocol === UDP) return { kind: 'udp', from: view.getUint16(0), to: view.getUint16(2) };
  const isReply = (protocol === ICMP && body[0] === 0) || (protocol === ICMPV6 && body[0] === 129);
  if (isReply) return { kind: 'echo', id: view.getUint16(4) };
  const isRefusal =
    (protocol === ICMP && body[0] === 3 && body[1] === 3) || (protocol === ICMPV6 && body[0] === 1 && body[1] === 4);
  return isRefusal ? readRefused(body.subarray(8), protocol === ICMP ? 4 : 6) : undefined;
}

function readTcp(view: DataView, body: Uint8Array): TcpSegment | undefined {
  if (body.length < 20) return undefined;
  const data = body.subarray((view.getUint8(12) >> 4) * 4);
  return {
    kind: 'tcp',
    ...{ from: view.getUint16(0), to: view.getUint16(2), seq: view.getUint32(4), ack: view.getUint32(8) },
    ...{ flags: view.getUint8(13), data: data.length === 0 ? NOTHING : data },
  };
}

/** The datagram that an ICMP error quotes. */
function readRefused(quoted: Uint8Array, family: 4 | 6): Refused | undefined {
  if (quoted.length === 0) return undefined;
  const headerLength = family === 4 ? (quoted[0]! & 15) * 4 : 40;
  const protocol = quoted[family === 4 ? 9 : 6];
  if (protocol !== UDP || quoted.length < headerLength + 4) return undefined;
  const view = new DataView(quoted.buffer, quoted.byteOffset + headerLength, 4);
  return { kind: 'refused', from: view.getUint16(0), to: view.getUint16(2) };
}
