/** Session persistence in the switch: flows that lead a client to the member that has served it (table sessions). Pure. */
import { addressFromNumber, addressNumber, type Family, familyOf, netmaskLength } from '../model/addresses.ts';
import type { SessionPersistence } from '../model/types.ts';
import { canonicalMatch, type Flow } from '../openflow/index.ts';
import { cookieOf, readCookie } from './ids.ts';
import { instantiate } from './templates.ts';

/** A client of a pool, and its member. */
export interface Session {
  /** Of the pool, and of the client's family. */
  readonly group: number;
  /** Its address; where a netmask makes several one client, the first of theirs. */
  readonly client: string;
  /** As many bits of the address tell it from others. */
  readonly prefixLength: number;
  readonly member: number;
}

/** How a pool's clients of one family stay with their members. */
export interface Persistence {
  /** As many bits of its address tell a client from others. */
  readonly prefixLength: number;
  readonly seconds: number;
}

/** How long a client that opens no connection is remembered unless the pool says so: as long as Octavia does for datagrams. */
const DEFAULT_SECONDS = 360;
const WIDTH = { 4: 32, 6: 128 } as const;

export function persistenceOf(persistence: SessionPersistence | undefined, family: Family): Persistence {
  const { granularity = '', timeoutSeconds: seconds = DEFAULT_SECONDS } = persistence ?? {};
  const given = granularity !== '' && familyOf(granularity) === family ? netmaskLength(granularity) : undefined;
  return { prefixLength: given ?? WIDTH[family], seconds };
}

/** The bits of its address by which a client is told from others, as a mask. */
export function clientMask({ prefixLength }: Pick<Persistence, 'prefixLength'>, family: Family): bigint {
  const free = BigInt(WIDTH[family] - prefixLength);
  return ((1n << BigInt(prefixLength)) - 1n) << free;
}

/** As whom an address counts. */
export function clientOf(address: string, persistence: Persistence): string {
  const family = familyOf(address);
  if (persistence.prefixLength === WIDTH[family]) return address;
  return addressFromNumber(addressNumber(address) & clientMask(persistence, family), family);
}

/** The flow of a session, which lasts until the client has opened no connection for so long. */
export function sessionFlow({ group, client, prefixLength, member }: Session, seconds: number): Flow {
  const family = familyOf(client);
  const variables = { [`group${family}`]: group, client: `${client}/${prefixLength}`, member, seconds };
  const [flow] = instantiate(`session${family}`, variables);
  return { ...flow!, cookie: cookieOf('session', member) };
}

/** The session that a flow with this cookie and match keeps; undefined where it is none. */
export function readSession({ cookie, match }: Pick<Flow, 'cookie' | 'match'>): Session | undefined {
  const of = readCookie(cookie);
  const { reg7: group, ip_src: v4, ipv6_src: v6 } = canonicalMatch(match);
  const source = v4 ?? v6;
  if (of?.kind !== 'session' || typeof group !== 'number' || source === undefined) return undefined;
  const family = v4 === undefined ? 6 : 4;
  const [value, mask] = typeof source === 'object' ? [source.value, source.mask] : [source, undefined];
  const prefixLength = mask === undefined ? WIDTH[family] : netmaskLength(addressFromNumber(BigInt(mask), family));
  if (prefixLength === undefined) return undefined;
  return { group, client: addressFromNumber(BigInt(value), family), prefixLength, member: of.key };
}
