/**
 * Clients that stay with their members, on one host. Each has a flow in the switch (table sessions), which runs out by
 * itself; here is what the switch has. Bounded: when there are too many the oldest ends.
 */
import { type Body, FLOW_COMMAND, FLOW_MOD_DEFAULTS, type Flow } from '../openflow/index.ts';
import type { Choice } from '../pipeline/asking.ts';
import { sessionCookie } from '../pipeline/ids.ts';
import { readSession, type Session, sessionFlow } from '../pipeline/sessions.ts';
import { TABLES } from '../pipeline/tables.ts';
import { putFlow, removeFlow } from './flow-mods.ts';

type Choices = ReadonlyMap<number, Choice>;

export interface Sessions {
  readonly size: number;
  memberOf(group: number, client: string): number | undefined;
  /** Begins a session, or goes on with it; answers what the switch is to be sent. */
  keep(session: Session, seconds: number): readonly Body[];
  /** The flow has run out. */
  ranOut(flow: Pick<Flow, 'cookie' | 'match'>): void;
  /** Ends those that may not go on; answers what the switch is to be sent. */
  prune(choices: Choices): readonly Body[];
  forget(): void;
  /** Takes over those that the switch has; answers what it is to be sent. */
  adopt(flows: Iterable<Flow>, choices: Choices): readonly Body[];
  /** How many clients of the pool stay with each of its members. */
  counts(group: number): ReadonlyMap<number, number>;
}

export interface SessionsInit {
  readonly now: () => number;
  readonly most: number;
  /** How long the switch is believed to have what it was sent. */
  readonly againMs: number;
  /** One is over. */
  ended?(session: Session): void;
}

/** 65,536 take about 20 MB. */
export const SESSIONS: Omit<SessionsInit, 'now'> = { most: 65_536, againMs: 400 };

export function createSessions({ now, most, againMs, ended }: SessionsInit): Sessions {
  /** The oldest first. */
  const all = new Map<string, { readonly session: Session; sentMs: number }>();
  const byMember = new Map<number, Set<string>>();

  function begin(session: Session): void {
    const key = keyOf(session);
    all.set(key, { session, sentMs: now() });
    if (!byMember.has(session.member)) byMember.set(session.member, new Set());
    byMember.get(session.member)!.add(key);
  }

  function end(key: string): Session | undefined {
    const session = all.get(key)?.session;
    if (session === undefined) return undefined;
    all.delete(key);
    const others = byMember.get(session.member)!;
    others.delete(key);
    if (others.size === 0) byMember.delete(session.member);
    ended?.(session);
    return session;
  }

  /** All sessions of a member are of one pool, and alike. */
  const anyOf = (keys: ReadonlySet<string>): Session => all.get(keys.values().next().value!)!.session;

  return {
    get size() {
      return all.size;
    },
    memberOf: (group, client) => all.get(keyOf({ group, client }))?.session.member,
    keep(session, seconds) {
      const key = keyOf(session);
      const known = all.get(key);
      const flow = putFlow(sessionFlow(session, seconds));
      if (known?.session.member === session.member) {
        if (now() - known.sentMs < againMs) return [];
        known.sentMs = now();
        return [flow];
      }
      end(key);
      const oldest = all.size >= most ? end(all.keys().next().value!) : undefined;
      begin(session);
      return oldest === undefined ? [flow] : [remove(oldest), flow];
    },
    ranOut(flow) {
      const session = readSession(flow);
      if (session !== undefined && all.get(keyOf(session))?.session.member === session.member) end(keyOf(session));
    },
    prune(choices) {
      const over = [...byMember.values()].filter((keys) => !mayGoOn(anyOf(keys), choices));
      return over.map((keys) => {
        const { group, member } = anyOf(keys);
        for (const key of [...keys]) end(key);
        return removeAll(group, member);
      });
    },
    forget() {
      for (const key of [...all.keys()]) end(key);
    },
    adopt(flows, choices) {
      const sent: Body[] = [];
      for (const flow of flows) {
        const session = readSession(flow);
        if (session !== undefined && all.has(keyOf(session))) continue;
        if (session !== undefined && mayGoOn(session, choices) && all.size < most) begin(session);
        else sent.push(removal(flow));
      }
      return sent;
    },
    counts(group) {
      const own = [...byMember].filter(([, keys]) => anyOf(keys).group === group);
      return new Map(own.map(([member, keys]) => [member, keys.size]));
    },
  };
}

const keyOf = ({ group, client }: Pick<Session, 'group' | 'client'>): string => `${group} ${client}`;

function mayGoOn({ group, prefixLength, member }: Session, choices: Choices): boolean {
  const persistence = choices.get(group)?.persistence;
  return persistence?.prefixLength === prefixLength && persistence.keeping.has(member);
}

const remove = (session: Session): Body => removal(sessionFlow(session, 0));

/** Only where the flow is still a session. */
const removal = (flow: Flow): Body => removeFlow(flow, sessionCookie());

function removeAll(group: number, member: number): Body {
  const where = { tableId: TABLES.sessions, match: { reg7: group }, ...sessionCookie(member) };
  return { ...FLOW_MOD_DEFAULTS, kind: 'flow_mod', command: FLOW_COMMAND.delete, ...where };
}
