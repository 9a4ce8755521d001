/** Ethernet frames for tests: made from their fields, and read. */
import ipaddr from 'ipaddr.js';

const ETH_ARP = 0x0806;
const ETH_IPV4 = 0x0800;
const ETH_IPV6 = 0x86dd;
const TCP = 6;
const UDP = 17;
const ICMPV6 = 58;
export const BROADCAST = 'ff:ff:ff:ff:ff:ff';
export const ALL_NODES_MAC = '33:33:00:00:00:01';

const macBytes = (mac: string): Buffer => Buffer.from(mac.replaceAll(':', ''), 'hex');
const addressBytes = (address: string): Buffer => Buffer.from(ipaddr.parse(address).toByteArray());
const numbers = (...values: readonly number[]): Buffer => Buffer.from(values);

/** The Internet checksum (RFC 1071). */
function checksum(data: Buffer): number {
  const even = data.length % 2 === 0 ? data : Buffer.concat([data, numbers(0)]);
  let sum = 0;
  for (let at = 0; at < even.length; at += 2) sum += even.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

interface Link {
  /** Source MAC of the frame. */
  readonly from: string;
  readonly to?: string;
  readonly vlan?: number;
}

function ethernet({ from, to = BROADCAST, vlan = 0 }: Link, type: number, payload: Buffer): Buffer {
  const tag = vlan === 0 ? [] : [0x81, 0, vlan >> 8, vlan & 255];
  const head = Buffer.concat([macBytes(to), macBytes(from), numbers(...tag, type >> 8, type & 255), payload]);
  return Buffer.concat([head, Buffer.alloc(Math.max(0, 60 - head.length))]);
}

export interface ArpFields extends Link {
  readonly operation: 'request' | 'reply';
  readonly senderMac: string;
  readonly sender: string;
  readonly target: string;
}

export function arp({ operation, senderMac, sender, target, ...link }: ArpFields): Buffer {
  const head = numbers(0, 1, 8, 0, 6, 4, 0, operation === 'request' ? 1 : 2);
  const body = [head, macBytes(senderMac), addressBytes(sender), Buffer.alloc(6), addressBytes(target)];
  return ethernet(link, ETH_ARP, Buffer.concat(body));
}

/** An advertisement with the override flag that says: `target` is at `mac`. */
export function advertisement(
  fields: Link & { readonly source: string; readonly target: string; readonly mac: string },
): Buffer {
  const { source, target, mac, ...link } = fields;
  const destination = 'ff02::1';
  const message = Buffer.concat([
    numbers(136, 0, 0, 0, 0x20, 0, 0, 0),
    addressBytes(target),
    numbers(2, 1),
    macBytes(mac),
  ]);
  return ipv6({ ...link, source, destination, next: ICMPV6, message, checksumAt: 2 });
}

/** A solicitation for `target` with its sender's MAC. */
export function solicitation(
  fields: Link & { readonly source: string; readonly target: string; readonly mac: string },
): Buffer {
  const { source, target, mac, ...link } = fields;
  const message = Buffer.concat([
    numbers(135, 0, 0, 0, 0, 0, 0, 0),
    addressBytes(target),
    numbers(1, 1),
    macBytes(mac),
  ]);
  return ipv6({ ...link, source, destination: 'ff02::1', next: ICMPV6, message, checksumAt: 2 });
}

/** A UDP packet of either family; its port tells frames of a test from others. */
export function udp(
  fields: Link & { readonly source: string; readonly destination: string; readonly port: number },
): Buffer {
  const { port, ...rest } = fields;
  const message = Buffer.alloc(8 + 18);
  message.writeUInt16BE(port, 0);
  message.writeUInt16BE(port, 2);
  message.writeUInt16BE(message.length, 4);
  return ip({ ...rest, next: UDP, message, checksumAt: 6 });
}

/** Flags of TCP packets, by what they do to a connection. */
export const TCP_FLAGS = { syn: 0x02, answer: 0x12, ack: 0x10, fin: 0x11, rst: 0x14 } as const;

/** A TCP packet of either family; unless said otherwise a first packet of a server's answer (SYN, ACK). */
export function tcp(
  fields: Link & {
    readonly source: string;
    readonly destination: string;
    readonly sourcePort: number;
    readonly destinationPort: number;
    readonly flags?: keyof typeof TCP_FLAGS;
    readonly sequence?: number;
    readonly acknowledges?: number;
  },
): Buffer {
  const { sourcePort, destinationPort, flags = 'answer', sequence = 0, acknowledges = 0, ...rest } = fields;
  const message = Buffer.alloc(20);
  message.writeUInt16BE(sourcePort, 0);
  message.writeUInt16BE(destinationPort, 2);
  message.writeUInt32BE(sequence, 4);
  message.writeUInt32BE(acknowledges, 8);
  message.writeUInt16BE(0x5000 | TCP_FLAGS[flags], 12);
  message.writeUInt16BE(0xffff, 14);
  return ip({ ...rest, next: TCP, message, checksumAt: 16 });
}

/** An IP packet. */
function ip(fields: IpFields): Buffer {
  const { source, destination, next, message, checksumAt, ...link } = fields;
  if (source.includes(':')) return ipv6(fields);
  const ends = Buffer.concat([addressBytes(source), addressBytes(destination)]);
  const pseudo = Buffer.concat([ends, numbers(0, next, 0, message.length), message]);
  message.writeUInt16BE(checksum(pseudo), checksumAt);
  const header = Buffer.concat([
    numbers(0x45, 0, 0, 20 + message.length, 0, 0, 0, 0, 64, next, 0, 0),
    addressBytes(source),
    addressBytes(destination),
  ]);
  header.writeUInt16BE(checksum(header), 10);
  return ethernet(link, ETH_IPV4, Buffer.concat([header, message]));
}

interface IpFields extends Link {
  readonly source: string;
  readonly destination: string;
  readonly next: number;
  readonly message: Buffer;
  readonly checksumAt: number;
}

function ipv6({ source, destination, next, message, checksumAt, ...link }: IpFields): Buffer {
  const ends = Buffer.concat([addressBytes(source), addressBytes(destination)]);
  const pseudo = Buffer.concat([ends, numbers(0, 0, 0, message.length, 0, 0, 0, next), message]);
  message.writeUInt16BE(checksum(pseudo), checksumAt);
  const header = numbers(0x60, 0, 0, 0, 0, message.length, next, 255);
  return ethernet(link, ETH_IPV6, Buffer.concat([header, ends, message]));
}

/** What a test asks about a caught frame. */
export interface SeenFrame {
  readonly from: string;
  readonly to: string;
  /** The whole frame. */
  readonly bytes: Buffer;
  readonly kind: 'arp' | 'icmpv6' | 'ip' | 'marker' | 'other';
  /** The address that the frame claims for a MAC: an ARP sender, or the target of an advertisement. */
  readonly claims: string | undefined;
  /** The address whose MAC the frame asks for: the target of an ARP request or a solicitation. */
  readonly asks: string | undefined;
  /** IP source address. */
  readonly source: string | undefined;
}

/** IEEE 802's type for experiments. */
export const MARKER = 0x88b5;

/** A frame that nothing but a test sends. */
export function marker(number: number): Buffer {
  return ethernet({ from: '02:00:00:00:00:99' }, MARKER, numbers(number >> 8, number & 255));
}

const macText = (bytes: Buffer): string => bytes.toString('hex').match(/../g)!.join(':');
const addressText = (bytes: Buffer): string => ipaddr.fromByteArray([...bytes]).toString();

/** Reads a frame as it was on the wire. */
export function readFrame(bytes: Buffer): SeenFrame {
  const tagged = bytes.readUInt16BE(12) === 0x8100;
  const at = tagged ? 18 : 14;
  const type = bytes.readUInt16BE(at - 2);
  const base = { from: macText(bytes.subarray(6, 12)), to: macText(bytes.subarray(0, 6)), bytes };
  const none = { claims: undefined, asks: undefined, source: undefined };
  if (type === MARKER) return { ...base, ...none, kind: 'marker' };
  if (type === ETH_ARP) {
    const sender = addressText(bytes.subarray(at + 14, at + 18));
    const asks = bytes[at + 7] === 1 ? addressText(bytes.subarray(at + 24, at + 28)) : undefined;
    return { ...base, kind: 'arp', claims: sender === '0.0.0.0' ? undefined : sender, asks, source: undefined };
  }
  if (type === ETH_IPV4) return { ...base, ...none, kind: 'ip', source: addressText(bytes.subarray(at + 12, at + 16)) };
  if (type !== ETH_IPV6) return { ...base, ...none, kind: 'other' };
  const source = addressText(bytes.subarray(at + 8, at + 24));
  if (bytes[at + 6] !== ICMPV6) return { ...base, ...none, kind: 'ip', source };
  const icmp = at + 40;
  const target = (type: number) =>
    bytes[icmp] === type ? addressText(bytes.subarray(icmp + 8, icmp + 24)) : undefined;
  return { ...base, kind: 'icmpv6', claims: target(136), asks: target(135), source };
}
