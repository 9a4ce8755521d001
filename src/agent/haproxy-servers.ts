/** Members as servers of HAProxy: what is fixed while one runs, and what may change. */
import { familyOf } from '../model/addresses.ts';
import { isAskedBySandbox } from '../model/health.ts';
import type { Member, Pool, PoolProtocol } from '../model/types.ts';
import { type Backend, cookieKey } from './haproxy-backend.ts';
import { checkKeywords } from './haproxy-checks.ts';
import type { ProxySurroundings } from './haproxy-config.ts';

/** One server of a backend, as it should be. */
export interface Server {
  /** `BACKEND/MEMBER` */
  readonly name: string;
  readonly address: string;
  readonly port: number;
  /** 0 to 256, locality applied; with 0 it gets no new connections, except of clients that persist on it. */
  readonly weight: number;
  readonly isEnabled: boolean;
  readonly isBackup: boolean;
  readonly isChecked: boolean;
  /** Where health is asked for, as far as it is not the server itself. */
  readonly checkAddress: string | undefined;
  readonly checkPort: number | undefined;
  /** With what its cookie is made; undefined = it has none. */
  readonly cookieKey: string | undefined;
  /** All that follows the name: in the configuration file as well as in `add server`. */
  readonly words: string;
}

/** What is known of members beside the model. */
export type Known = Pick<ProxySurroundings, 'localAddresses' | 'illMembers'>;
/** Whether an address belongs to a VM of the balancer's own host. */
type IsLocal = (address: string) => boolean;

/** HAProxy's greatest weight. */
const MAX_WEIGHT = 256;

/** The servers of a backend. With locality `only`, members elsewhere are none. */
export function serversOf(backend: Backend, { localAddresses, illMembers }: Known): Server[] {
  const { pool } = backend;
  const isLocal: IsLocal = (address) => localAddresses.has(address);
  const members = pool.locality === 'only' ? pool.members.filter(({ address }) => isLocal(address)) : pool.members;
  const weightOf = weights(pool, isLocal);
  const ofPool = poolWords(pool);
  return members.map((member) => {
    const { id, key, address, protocolPort, backup, adminStateUp, monitorAddress, monitorPort } = member;
    const isChecked = isAskedBySandbox(pool);
    const checkAddress = isChecked ? monitorAddress : undefined;
    const checkPort = isChecked ? monitorPort : undefined;
    const weight = weightOf(member);
    const words = [
      endpoint(address, protocolPort),
      // The key is the same on every host and never used again: hashes lead everywhere to the same member.
      `id ${key} weight ${weight}`,
      ...(backup ? ['backup'] : []),
      ...(checkAddress === undefined ? [] : [`addr ${bracketed(checkAddress)}`]),
      ...(checkPort === undefined ? [] : [`port ${checkPort}`]),
      ...ofPool,
    ];
    return {
      name: `${backend.name}/${id}`,
      address,
      port: protocolPort,
      weight,
      isEnabled: adminStateUp && !illMembers.has(id),
      isBackup: backup,
      isChecked,
      checkAddress,
      checkPort,
      cookieKey: cookieKey(backend),
      words: words.join(' '),
    };
  });
}

const PROXY_WORDS: Partial<Record<PoolProtocol, readonly string[]>> = {
  PROXY: ['send-proxy'],
  PROXYV2: ['send-proxy-v2'],
};

/** What every server of the pool has; a change of it needs a reload. */
export function poolWords(pool: Pool): string[] {
  const proxy = PROXY_WORDS[pool.protocol] ?? [];
  const slowStart = pool.slowStartSeconds > 0 ? [`slowstart ${pool.slowStartSeconds}s`] : [];
  return [...checkKeywords(pool), ...proxy, ...slowStart];
}

/** Weights times locality factor, scaled down if they leave HAProxy's range; what is not 0 stays at least 1. */
function weights({ members, locality, localityFactor }: Pool, isLocal: IsLocal): (member: Member) => number {
  const raw = ({ weight, address }: Member): number =>
    locality === 'prefer' && isLocal(address) ? weight * localityFactor : weight;
  const greatest = Math.max(0, ...members.map(raw));
  const scale = Math.min(1, MAX_WEIGHT / greatest);
  return (member) => (member.weight === 0 ? 0 : Math.max(1, Math.round(raw(member) * scale)));
}

/** As HAProxy writes an address with a port. */
export const endpoint = (address: string, port: number): string => `${bracketed(address)}:${port}`;

const bracketed = (address: string): string => (familyOf(address) === 6 ? `[${address}]` : address);
