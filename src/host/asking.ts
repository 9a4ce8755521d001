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
} from '../openflow/index.ts';
import { type Choice, choicesOf, deniedFlow, isAskedBy, leaseFlow } from '../pipeline/asking.ts';
import { type Chooser, createChooser } from '../pipeline/choosers.ts';
import { COOKIE, leaseCookie } from '../pipeline/ids.ts';
import { TABLES } from '../pipeline/tables.ts';
import type { HostView } from '../pipeline/view.ts';
import { connectionKey, createConnections, reversed } from './connections.ts';
import { type Ends, readEnds } from './ends.ts';
import { createValve } from './valve.ts';

export interface AskingInit {
  send(messages: readonly Body[]): void;
}

export interface Asking {
  setView(view: HostView): void;
  /** Whether the packet was sent for a choice, or to tell of an end; then it has been dealt with. */
  take(packet: PacketIn): boolean;
  /** Renews the lease from now on. */
  start(): void;
  /** Lets the lease run out, or takes it back where the switch can still be told. */
  stop(): void;
}

/** Well below the second that a lease lasts. */
const RENEW_MS = 400;
/** Registers that the tables from `service` on look at. */
const KEPT = ['reg0', 'reg1', 'reg2', 'reg3', 'reg4'] as const;
type Registers = Readonly<Partial<Record<`reg${number}`, number>>>;

export function createAsking({ send }: AskingInit): Asking {
  const choosers = new Map<number, { readonly algorithm: Choice['algorithm']; readonly chooser: Chooser }>();
  const connections = createConnections();
  const valve = createValve();
  let view: HostView | undefined;
  let isAsked = false;
  let choices: ReadonlyMap<number, Choice> | undefined;
  let timer: NodeJS.Timeout | undefined;
  /** Whom the last first packets were given to: one that is sent again while the first is under way gets the same. */
  let recent: [now: Map<string, number>, before: Map<string, number>] = [new Map(), new Map()];

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
    const chosen = chooserOf(group, choice).choose(choice.members);
    const member = choice.members.find((one) => one.key === chosen);
    if (member === undefined) return undefined;
    recent[0].set(key, member.key);
    if (choice.algorithm === 'LEAST_CONNECTIONS') {
      const { address: destination, protocolPort: destinationPort } = member;
      const memberSide = connectionKey(network, { ...ends, destination, destinationPort });
      // Conntrack says that it is new: what had the same addresses and ports has ended.
      for (const old of connections.add({ group, member: member.key, keys: [key, memberSide] })) ended(old);
    }
    return member.key;
  }

  function ended({ group, member }: { readonly group: number; readonly member: number }): void {
    choosers.get(group)?.chooser.ended(member);
  }

  function answer({ data, inPort }: PacketIn, registers: Registers): void {
    const ends = readEnds(data);
    if (ends === undefined || inPort === undefined) return;
    const member = memberFor(registers.reg7 ?? 0, registers.reg0 ?? 0, ends);
    if (member !== undefined) send([packetOut(data, inPort, { ...registers, reg6: member })]);
    const verdict = valve.passed(inPort);
    if (verdict === 'deny port') send([put(deniedFlow(inPort))]);
    if (verdict === 'deny all') send([remove(leaseFlow())]);
  }

  function tellEnd({ data, tableId }: PacketIn, registers: Registers): void {
    const ends = readEnds(data);
    if (ends === undefined) return;
    const seenByClient = tableId === TABLES.select ? ends : reversed(ends);
    const over = connections.take(connectionKey(registers.reg0 ?? 0, seenByClient));
    if (over !== undefined) ended(over);
  }

  function renew(): void {
    recent = [new Map(), recent[0]];
    if (valve.tick() && isAsked) send([put(leaseFlow())]);
  }

  return {
    setView(next) {
      view = next;
      choices = undefined;
      const wasAsked = isAsked;
      isAsked = isAskedBy(next);
      if (timer === undefined || wasAsked === isAsked) return;
      send([isAsked ? put(leaseFlow()) : remove(leaseFlow())]);
    },
    take(packet) {
      if ((packet.cookie & COOKIE.mask) !== COOKIE.value) return false;
      const registers = canonicalMatch(packet.match) as Registers;
      if (packet.tableId === TABLES.choose) answer(packet, registers);
      else if (packet.tableId === TABLES.select || packet.tableId === TABLES.unnat) tellEnd(packet, registers);
      else return false;
      return true;
    },
    start() {
      timer ??= setInterval(renew, RENEW_MS);
      if (isAsked) send([put(leaseFlow())]);
    },
    stop() {
      clearInterval(timer);
      if (timer !== undefined && isAsked) send([remove(leaseFlow())]);
      timer = undefined;
    },
  };
}

/** The packet once more, as it came to table service, with the chosen member. */
function packetOut(data: Uint8Array, inPort: number, registers: Registers): Body {
  const set = [...KEPT, 'reg6' as const].flatMap((field): Action[] => {
    const value = registers[field];
    return value === undefined ? [] : [{ kind: 'set_field', field, value }];
  });
  const actions: Action[] = [...set, { kind: 'resubmit_table', inPort: IN_PORT_16, tableId: TABLES.service }];
  return { kind: 'packet_out', bufferId: NO_BUFFER, match: { in_port: inPort }, actions, data };
}

function put(flow: Flow): Body {
  return { ...FLOW_MOD_DEFAULTS, ...flow, kind: 'flow_mod', command: FLOW_COMMAND.add };
}

function remove({ tableId, priority, match }: Flow): Body {
  const command = FLOW_COMMAND.delete_strict;
  return { ...FLOW_MOD_DEFAULTS, kind: 'flow_mod', command, tableId, priority, match, ...leaseCookie() };
}
