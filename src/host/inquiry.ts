/**
 * Asking conntrack through OpenFlow whether a connection is still known: an ICMP error that quotes a packet of it comes
 * out of conntrack as related (+rel), or not. It changes nothing of the connection, not even its time-out, and goes nowhere
 * but back to the controller.
 */
import { addressBytes, familyOf } from '../model/addresses.ts';
import type { Action, Body, Match } from '../openflow/index.ts';
import { NO_BUFFER, PORT } from '../openflow/index.ts';
import { zonesOf } from '../pipeline/ids.ts';
import { TABLES } from '../pipeline/tables.ts';
import type { Ends } from './ends.ts';
import { checksum } from './packets.ts';

/** Of ct_state. */
const RELATED = 4;

/** A packet-out; what comes back to table choose has the id in register 7. `ends` are those that the member sees. */
export function inquiry(id: number, network: number, ends: Ends): Body {
  const actions: Action[] = [
    { kind: 'set_field', field: 'reg7', value: id },
    { kind: 'ct', flags: 0, zone: zonesOf(network).service, tableId: TABLES.choose, alg: 0, actions: [] },
  ];
  const data = familyOf(ends.source) === 4 ? icmp4(ends) : icmp6(ends);
  return { kind: 'packet_out', bufferId: NO_BUFFER, match: { in_port: PORT.controller }, actions, data };
}

/** Whether the packet that came back says that conntrack knows the connection. */
export function isKnown({ ct_state: state = 0 }: Match): boolean {
  return ((typeof state === 'object' ? state.value : state) & RELATED) !== 0;
}

const NO_MACS = Array<number>(12).fill(0);
const word = (value: number): readonly number[] => [value >> 8, value & 255];
/** What an error quotes of TCP, UDP or SCTP: ports, and as much as a header of TCP has, which Open vSwitch wants in IPv6. */
const quoted = ({ sourcePort, destinationPort }: Ends): readonly number[] => [
  ...word(sourcePort),
  ...word(destinationPort),
  ...Array<number>(16).fill(0),
];

function ipv4(protocol: number, [source, destination]: readonly [string, string], payload: readonly number[]) {
  const length = 20 + payload.length;
  const addresses = [...addressBytes(source), ...addressBytes(destination)];
  const header = [0x45, 0, ...word(length), 0, 0, 0, 0, 64, protocol, 0, 0, ...addresses];
  return [...header.with(10, checksum(header) >> 8).with(11, checksum(header) & 255), ...payload];
}

/** The member's host tells the client that what it sent cannot be delivered (RFC 792). */
function icmp4(ends: Ends): Uint8Array {
  const { protocol, source, destination } = ends;
  const message = [3, 1, 0, 0, 0, 0, 0, 0, ...ipv4(protocol, [source, destination], quoted(ends))];
  const sum = checksum(message);
  const packet = ipv4(1, [destination, source], message.with(2, sum >> 8).with(3, sum & 255));
  return Uint8Array.from([...NO_MACS, 8, 0, ...packet]);
}

function ipv6(protocol: number, [source, destination]: readonly [string, string], payload: readonly number[]) {
  const addresses = [...addressBytes(source), ...addressBytes(destination)];
  return [0x60, 0, 0, 0, ...word(payload.length), protocol, 64, ...addresses, ...payload];
}

/** The same in IPv6 (RFC 4443). */
function icmp6(ends: Ends): Uint8Array {
  const { protocol, source, destination } = ends;
  const message = [1, 3, 0, 0, 0, 0, 0, 0, ...ipv6(protocol, [source, destination], quoted(ends))];
  const addresses = [...addressBytes(destination), ...addressBytes(source)];
  const sum = checksum([...addresses, 0, 0, 0, message.length, 0, 0, 0, 58, ...message]);
  const packet = ipv6(58, [destination, source], message.with(2, sum >> 8).with(3, sum & 255));
  return Uint8Array.from([...NO_MACS, 0x86, 0xdd, ...packet]);
}
