/**
 * The controller as the one that chooses: round robin and least connections of balancers in the switch.
 *
 *     first packet ──▶ table choose ──▶ packet-in ──▶ chooser ──▶ packet-out, member in reg6 ──▶ tables service … commit
 *                          ▲                │
 *                          └── lease ◀── valve: a port, or all, ask too often: the slot table for a while
 *
 * The lease is a flow that runs out unless it is renewed: without this controller the switch goes on by the slot table.
 * What is remembered is this process's own, and begins anew with it.
 */

import {
  type Action,
  type Body,
  canonicalMatch,
  FLOW_COMMAND,
  FLOW_MOD_DEFAULTS,
  type Flow,
  IN_PORT_16,
  NO_BUFFER,
  type PacketIn,
  PORT,
} from '../openflow/index.ts';
import { type Choice, choicesOf, deniedFlow, isAskedBy, leaseFlow } from '../pipeline/asking.ts';
import { type Chooser, createChooser } from '../pipeline/choosers.ts';
import { COOKIE, leaseCookie } from '../pipeline/ids.ts';
import { TABLES } from '../pipeline/tables.ts';
import type { HostView } from '../pipeline/view.ts';
import { CONNECTIONS, type Counted, connectionKey, createConnections } from './connections.ts';
import { type Ends, readEnds, reversed } from './ends.ts';
import { inquiry, isKnown } from './inquiry.ts';
import { createValve, VALVE } from './valve.ts';

export interface Bounds {
  readonly connections?: Partial<typeof CONNECTIONS>;
  readonly valve?: Partial<typeof VALVE>;
}

export interface AskingInit {
  /** Resolves when they are on their way, or cannot be. */
  send(messages: readonly Body[]): Promise<void>;
  /** Milliseconds; the real time unless given. */
  readonly now?: () => number;
  /** Those that are not the usual ones. */
  readonly bounds?: Bounds;
}

export interface Asking {
  /** How many connections are counted. */
  readonly counted: number;
  setView(view: HostView): void;
  /** Whether the packet was sent for a choice, or to tell of an end; then it has been dealt with. */
  take(packet: PacketIn): boolean;
  /** Renews the lease from now on. */
  start(): void;
  /** Takes the lease back; where the switch cannot be told it runs out. */
  stop(): Promise<void>;
}

/** Well below the second that a lease lasts. */
const RENEW_MS = 400;
/** Registers that the tables from `service` on look at. */
const KEPT = ['reg0', 'reg1', 'reg2', 'reg3', 'reg4'] as const;
type Registers = Readonly<Partial<Record<`reg${number}`, number | undefined>>>;

interface Onward {
  readonly registers: Registers;
  readonly table: 'service' | 'slots';
}

export function createAsking({ send, now = Date.now, bounds = {} }: AskingInit): Asking {
  const choosers = new Map<number, { readonly algorithm: Choice['algorithm']; readonly chooser: Chooser }>();
  const connections = createConnections({ now, ...CONNECTIONS, ...bounds.connections });
  const valve = createValve({ ...VALVE, ...bounds.valve });
  let view: HostView | undefined;
  let isAsked = false;
  let choices: ReadonlyMap<number, Choice> | undefined;
  let timer: NodeJS.Timeout | undefined;
  /** Whom the last first packets were given to: one that is sent again while the first is under way gets the same. */
  let recent: [now: Map<string, number>, before: Map<string, number>] = [new Map(), new Map()];

  const ended = (over: Counted | undefined) => over?.chooser.ended(over.member);

  /** Computed when it is asked for: most views change nothing of it. */
  function choiceFor(group: number): Choice | undefined {
    if (choices === undefined && view !== undefined) {
      choices = choicesOf(view);
      for (const known of choosers.keys()) if (!choices.has(known)) choosers.delete(known);
    }
    return choices?.get(group);
  }

  function chooserOf(group: number, { algorithm }: Choice): Chooser {
    const known = choosers.get(group);
    if (known?.algorithm === algorithm) return known.chooser;
    const chooser = createChooser(algorithm);
    choosers.set(group, { algorithm, chooser });
    return chooser;
  }

  function memberFor(group: number, network: number, ends: Ends): number | undefined {
    const choice = choiceFor(group);
    if (choice === undefined) return undefined;
    const key = connectionKey(network, ends);
    const before = recent[0].get(key) ?? recent[1].get(key);
    if (before !== undefined && choice.members.some((member) => member.key === before)) return before;
    const chooser = chooserOf(group, choice);
    const chosen = chooser.choose(choice.members);
    const member = choice.members.find((one) => one.key === chosen);
    if (member === undefined) return undefined;
    recent[0].set(key, member.key);
    if (choice.algorithm === 'LEAST_CONNECTIONS') {
      const memberSide = { ...ends, destination: member.address, destinationPort: member.protocolPort };
      // Conntrack says that it is new: what had the same ends is over.
      const begun = { chooser, member: member.key, network, clientSide: ends, memberSide };
      for (const old of connections.add(begun)) ended(old);
    }
    return member.key;
  }

  function answer({ data, inPort }: PacketIn, registers: Registers): void {
    const ends = readEnds(data);
    if (ends === undefined || inPort === undefined) return;
    const member = memberFor(registers.reg7 ?? 0, registers.reg0 ?? 0, ends);
    // With nobody to choose, it is the slot table that says what becomes of it.
    const onward: Onward =
      member === undefined
        ? { registers: { ...registers, reg6: undefined }, table: 'slots' }
        : { registers: { ...registers, reg6: member, reg7: undefined }, table: 'service' };
    void send([packetOut(data, inPort, onward)]);
    const verdict = valve.passed(inPort);
    if (verdict === 'deny port') void send([put(deniedFlow(inPort))]);
    if (verdict === 'deny all') void send([remove(leaseFlow())]);
  }

  function tellEnd({ data, tableId }: PacketIn, registers: Registers): void {
    const ends = readEnds(data);
    if (ends === undefined) return;
    const seenByClient = tableId === TABLES.select ? ends : reversed(ends);
    ended(connections.take(registers.reg0 ?? 0, seenByClient));
  }

  function renew(): void {
    recent = [new Map(), recent[0]];
    if (valve.tick() && isAsked) void send([put(leaseFlow())]);
    const inquiries = [...connections.due()].map(([id, { network, memberSide }]) => inquiry(id, network, memberSide));
    if (inquiries.length > 0) void send(inquiries);
  }

  return {
    get counted() {
      return connections.size;
    },
    setView(next) {
      view = next;
      choices = undefined;
      const wasAsked = isAsked;
      isAsked = isAskedBy(next);
      if (timer === undefined || wasAsked === isAsked) return;
      void send([isAsked ? put(leaseFlow()) : remove(leaseFlow())]);
    },
    take(packet) {
      if ((packet.cookie & COOKIE.mask) !== COOKIE.value) return false;
      const registers = canonicalMatch(packet.match) as Registers;
      if (packet.tableId === TABLES.choose && packet.inPort === PORT.controller) {
        if (!isKnown(packet.match)) ended(connections.takeById(registers.reg7 ?? 0));
      } else if (packet.tableId === TABLES.choose) answer(packet, registers);
      else if (packet.tableId === TABLES.select || packet.tableId === TABLES.unnat) tellEnd(packet, registers);
      else return false;
      return true;
    },
    start() {
      timer ??= setInterval(renew, RENEW_MS);
      if (isAsked) void send([put(leaseFlow())]);
    },
    async stop() {
      const wasRenewed = timer !== undefined && isAsked;
      clearInterval(timer);
      timer = undefined;
      if (wasRenewed) await send([remove(leaseFlow())]);
    },
  };
}

/** The packet once more, as it came to table service, with the chosen member; or on its way to the slot table. */
function packetOut(data: Uint8Array, inPort: number, { registers, table }: Onward): Body {
  const set = [...KEPT, 'reg6' as const, 'reg7' as const].flatMap((field): Action[] => {
    const value = registers[field];
    return value === undefined ? [] : [{ kind: 'set_field', field, value }];
  });
  const actions: Action[] = [...set, { kind: 'resubmit_table', inPort: IN_PORT_16, tableId: TABLES[table] }];
  return { kind: 'packet_out', bufferId: NO_BUFFER, match: { in_port: inPort }, actions, data };
}

function put(flow: Flow): Body {
  return { ...FLOW_MOD_DEFAULTS, ...flow, kind: 'flow_mod', command: FLOW_COMMAND.add };
}

function remove({ tableId, priority, match }: Flow): Body {
  const command = FLOW_COMMAND.delete_strict;
  return { ...FLOW_MOD_DEFAULTS, kind: 'flow_mod', command, tableId, priority, match, ...leaseCookie() };
}
