/**
 * The few packets that the controller itself makes and reads: ARP (RFC 826) and ND (RFC 4861), for members' MACs and to
 * tell VMs those of VIPs.
 */
import { addressBytes, addressFromBytes, familyOf } from '../model/addresses.ts';
import { ipv6FromMac } from '../model/vip-mac.ts';

const ETH_ARP = 0x0806;
export const ETH_IPV6 = 0x86dd;
export const ETH_VLAN = 0x8100;
const ICMPV6 = 58;
const NEIGHBOUR_ADVERTISEMENT = 136;

/** Who has which MAC, as a packet claims. */
export interface Claim {
  readonly address: string;
  readonly mac: string;
  /** VLAN id of the frame; 0 = untagged. */
  readonly vlan: number;
}

/**
 * A frame that asks who has `address`: an ARP probe (RFC 5227: no sender address, so it changes nobody's cache) or a
 * neighbour solicitation from the link-local address of `mac`.
 */
export function lookupFrame(address: string, mac: string, vlan: number): Uint8Array {
  return familyOf(address) === 4 ? arpProbe(address, mac, vlan) : solicitation(address, mac, vlan);
}

export function ethernet(destination: readonly number[], source: string, vlan: number, type: number): number[] {
  const tag = vlan === 0 ? [] : [ETH_VLAN >> 8, ETH_VLAN & 255, vlan >> 8, vlan & 255];
  return [...destination, ...macBytes(source), ...tag, type >> 8, type & 255];
}

/**
 * A frame to `target` alone that asks for its address and says by the way who asks: whoever gets it knows where to answer
 * `source` (RFC 826; RFC 4861, section 7.2.3).
 */
export function introductionFrame(from: Asker, target: { readonly address: string; readonly mac: string }): Uint8Array {
  const { source, sourceMac: mac, vlan } = from;
  const [ours, asked] = [[...addressBytes(source)], [...addressBytes(target.address)]];
  const to = macBytes(target.mac);
  if (familyOf(source) === 4) return arp(1, { mac, vlan, senderIp: ours, target: [...NO_MAC, ...asked], to });
  const message = [135, 0, 0, 0, 0, 0, 0, 0, ...asked, 1, 1, ...macBytes(mac)];
  return icmpv6(message, { source: ours, target: asked, to, mac, vlan });
}

/** In whose name the controller speaks to a machine. */
export interface Asker {
  readonly source: string;
  readonly sourceMac: string;
  readonly vlan: number;
}

/**
 * Frames that say, unasked, that `address` is at `mac`: ARP as request and as reply, since some systems heed only one
 * of them (RFC 5227, section 3), or a neighbour advertisement that overrides what was known (RFC 4861, section 7.2.6).
 */
export function announcementFrames(address: string, mac: string, vlan = 0): readonly Uint8Array[] {
  if (familyOf(address) === 6) return [advertisement(address, mac, vlan)];
  const ip = [...addressBytes(address)];
  return ([1, 2] as const).map((operation) =>
    arp(operation, { mac, vlan, senderIp: ip, target: [...(operation === 1 ? NO_MAC : macBytes(mac)), ...ip] }),
  );
}

const NO_MAC = [0, 0, 0, 0, 0, 0];
const BROADCAST = [255, 255, 255, 255, 255, 255];
const ALL_NODES = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const OVERRIDE = 0x20;

interface ArpFields {
  readonly mac: string;
  readonly vlan: number;
  readonly senderIp: readonly number[];
  /** MAC and IP address. */
  readonly target: readonly number[];
  /** MAC; default: everybody. */
  readonly to?: readonly number[];
}

function arp(operation: 1 | 2, { mac, vlan, senderIp, target, to = BROADCAST }: ArpFields): Uint8Array {
  const body = [0, 1, 8, 0, 6, 4, 0, operation, ...macBytes(mac), ...senderIp, ...target];
  return Uint8Array.from([...ethernet(to, mac, vlan, ETH_ARP), ...body]);
}

function arpProbe(address: string, mac: string, vlan: number): Uint8Array {
  return arp(1, { mac, vlan, senderIp: [0, 0, 0, 0], target: [...NO_MAC, ...addressBytes(address)] });
}

function solicitation(address: string, mac: string, vlan: number): Uint8Array {
  const target = [...addressBytes(address)];
  const group = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, ...target.slice(13)];
  const source = [...addressBytes(ipv6FromMac('fe80::/64', mac))];
  const message = [135, 0, 0, 0, 0, 0, 0, 0, ...target, 1, 1, ...macBytes(mac)];
  return toGroup(message, { source, group, mac, vlan });
}

function advertisement(address: string, mac: string, vlan: number): Uint8Array {
  const source = [...addressBytes(address)];
  const message = [NEIGHBOUR_ADVERTISEMENT, 0, 0, 0, OVERRIDE, 0, 0, 0, ...source, 2, 1, ...macBytes(mac)];
  return toGroup(message, { source, group: ALL_NODES, mac, vlan });
}

interface Ipv6Fields {
  readonly source: readonly number[];
  readonly target: readonly number[];
  /** MAC. */
  readonly to: readonly number[];
  readonly mac: string;
  readonly vlan: number;
}

/** An ICMPv6 message to a multicast group of the link. */
function toGroup(icmp: readonly number[], fields: Omit<Ipv6Fields, 'to' | 'target'> & { group: readonly number[] }) {
  const { group: target } = fields;
  return icmpv6(icmp, { ...fields, target, to: [0x33, 0x33, ...target.slice(12)] });
}

/** An ICMPv6 message of the link: the hop limit says that no router has passed it on. */
function icmpv6(icmp: readonly number[], { source, target, to, mac, vlan }: Ipv6Fields): Uint8Array {
  const sum = checksum([...source, ...target, 0, 0, 0, icmp.length, 0, 0, 0, ICMPV6, ...icmp]);
  const message = icmp.with(2, sum >> 8).with(3, sum & 255);
  const header = [0x60, 0, 0, 0, 0, icmp.length, ICMPV6, 255, ...source, ...target];
  return Uint8Array.from([...ethernet(to, mac, vlan, ETH_IPV6), ...header, ...message]);
}

/** The Internet checksum (RFC 1071) of an even number of bytes. */
export function checksum(bytes: readonly number[]): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i]! << 8) | bytes[i + 1]!;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

export function macBytes(mac: string): number[] {
  return mac.split(':').map((octet) => Number.parseInt(octet, 16));
}

export function macText(bytes: Uint8Array): string {
  return [...bytes].map((octet) => octet.toString(16).padStart(2, '0')).join(':');
}

/**
 * The claim that an ARP packet (its sender) or a neighbour advertisement (its target) makes; undefined for every other
 * frame, for truncated ones, for probes without an address, and for group addresses.
 */
export function readClaim(frame: Uint8Array): Claim | undefined {
  if (frame.length < 14) return undefined;
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const tagged = view.getUint16(12) === ETH_VLAN && frame.length >= 18;
  const at = tagged ? 18 : 14;
  const vlan = tagged ? view.getUint16(14) & 0xfff : 0;
  const claim = view.getUint16(at - 2) === ETH_ARP ? readArp(frame, at) : readAdvertisement(view, frame, at);
  return claim === undefined || isGroup(claim.mac) ? undefined : { ...claim, vlan };
}

function readArp(frame: Uint8Array, at: number): Omit<Claim, 'vlan'> | undefined {
  if (frame.length < at + 28 || frame[at + 4] !== 6 || frame[at + 5] !== 4) return undefined;
  const sender = frame.subarray(at + 14, at + 18);
  if (sender.every((octet) => octet === 0)) return undefined;
  return { address: addressFromBytes(sender), mac: macText(frame.subarray(at + 8, at + 14)) };
}

function readAdvertisement(view: DataView, frame: Uint8Array, at: number): Omit<Claim, 'vlan'> | undefined {
  const icmp = at + 40;
  if (view.getUint16(at - 2) !== ETH_IPV6 || frame.length < icmp + 24) return undefined;
  if (frame[at + 6] !== ICMPV6 || frame[icmp] !== NEIGHBOUR_ADVERTISEMENT) return undefined;
  const address = addressFromBytes(frame.subarray(icmp + 8, icmp + 24));
  for (let option = icmp + 24; option + 8 <= frame.length; option += frame[option + 1]! * 8) {
    if (frame[option + 1] === 0) return undefined;
    if (frame[option] === 2) return { address, mac: macText(frame.subarray(option + 2, option + 8)) };
  }
  return undefined;
}

function isGroup(mac: string): boolean {
  return (Number.parseInt(mac.slice(0, 2), 16) & 1) === 1 || mac === '00:00:00:00:00:00';
}
