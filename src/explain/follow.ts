/**
 * Runs traces and follows the packet where one trace ends.
 *
 * `ofproto/trace` follows recirculation with the connection state that it is told, but knows no connection: it does not
 * translate. Nor does it follow a dp_hash, which the datapath computes. There the trace goes on as another, of the packet as
 * it would come back, handed to the table where it would.
 */
import { familyOf } from '../model/addresses.ts';
import type { Connection, Endpoint, PacketState } from './packet.ts';
import { fieldsOf, parseTrace, type TracePass } from './trace.ts';

/** Runs a command of ovs-vswitchd. */
export type Appctl = (words: readonly string[]) => Promise<string>;

export interface Followed {
  /** What was printed, trace after trace. */
  readonly raw: string;
  readonly passes: readonly FollowedPass[];
}

export interface FollowedPass extends TracePass {
  /** What was done to the packet before: `10.0.0.100:80 becomes 10.0.0.21:80`; empty for nothing. */
  readonly translated: string;
  /** Whether a hash was assumed that only the datapath knows. */
  readonly assumedHash: boolean;
}

export interface FollowInit {
  readonly bridge: string;
  readonly flow: string;
  readonly state: PacketState;
  /** The connection that a packet belongs to which is not its first. */
  readonly connection?: Connection | undefined;
}

/** More is a loop. */
const MOST_TRACES = 8;
const CT_NEXT: Readonly<Record<PacketState, string>> = { new: 'trk,new', established: 'trk,est', reply: 'trk,est,rpl' };

/** Throws TraceError for text that is no trace, and what `appctl` throws. */
export async function follow(appctl: Appctl, { bridge, flow, state, connection }: FollowInit): Promise<Followed> {
  const next = Array<string[]>(MOST_TRACES).fill(['--ct-next', CT_NEXT[state]]).flat();
  const passes: FollowedPass[] = [];
  const raw: string[] = [];
  let words: readonly string[] = ['ofproto/trace', bridge, flow, ...next];
  let known = { translated: '', assumedHash: false };
  for (let i = 0; i < MOST_TRACES; i++) {
    const text = await appctl(words);
    raw.push(text);
    const first = known;
    const traced = parseTrace(text).map((pass, at) => ({ ...pass, ...(at === 0 ? first : NOTHING) }));
    const nexts = traced.map((pass) => onward(pass, connection, state));
    const cut = nexts.findIndex((one) => one !== undefined);
    if (cut < 0) return { raw: raw.join('\n'), passes: [...passes, ...traced] };
    const on = nexts[cut]!;
    passes.push(...traced.slice(0, cut));
    known = on;
    words = ['ofproto/trace-packet-out', bridge, readable(on.flow), ...next, `resubmit(,${traced[cut]!.table ?? 0})`];
  }
  return { raw: raw.join('\n'), passes };
}

const NOTHING = { translated: '', assumedHash: false };

interface Onward {
  readonly flow: string;
  readonly translated: string;
  readonly assumedHash: boolean;
}

function onward(pass: FollowedPass, connection: Connection | undefined, state: PacketState): Onward | undefined {
  const { resumes, flow, datapathActions, assumedHash, translated, failure } = pass;
  if (connection !== undefined && state !== 'new' && resumes.includes('conntrack')) {
    const changed = translate(flow, connection, state);
    if (changed !== undefined) return changed;
  }
  // OVS does not go on with a packet that it was handed by actions.
  if (failure.includes('Recirculation conflict')) {
    return { flow: withoutRecirculation(flow), translated: '', assumedHash: false };
  }
  if (datapathActions.startsWith('hash(') && !assumedHash) {
    const port = Number(fieldsOf(flow).get('tp_src') ?? 0);
    return { flow: `${withoutRecirculation(flow)},dp_hash=${port + 1}`, translated, assumedHash: true };
  }
  return undefined;
}

/** A flow as OVS prints it, as OVS reads it: ports have names of their transport there. */
function readable(flow: string): string {
  const transport = /\b(udp|sctp)6?\b/.exec(flow)?.[1];
  return transport === undefined ? flow : flow.replaceAll(/\btp_(?=src=|dst=)/g, `${transport}_`);
}

function withoutRecirculation(flow: string): string {
  return flow
    .split(',')
    .filter((part) => !/^(recirc_id=|dp_hash=|eth$)/.test(part))
    .join();
}

/** The packet after conntrack has applied what it knows of the connection; undefined when that is nothing. */
function translate(flow: string, { client, vip, member }: Connection, state: PacketState): Onward | undefined {
  const fields = fieldsOf(flow);
  const [src, dst] = familyOf(vip.address) === 4 ? ['nw_src', 'nw_dst'] : ['ipv6_src', 'ipv6_dst'];
  const replace = (side: 'src' | 'dst', from: Endpoint, to: Endpoint): Onward => {
    const changes = new Map([[side === 'src' ? src! : dst!, to.address]]);
    if (to.port !== undefined) changes.set(`tp_${side}`, String(to.port));
    const parts = withoutRecirculation(flow)
      .split(',')
      .map((part) => {
        const key = part.split('=')[0]!;
        return changes.has(key) ? `${key}=${changes.get(key)}` : part;
      });
    return { flow: parts.join(), translated: `${textOf(from)} becomes ${textOf(to)}`, assumedHash: false };
  };
  const isAt = (side: string, { address }: Endpoint) => fields.get(side) === address;
  if (member === undefined) return undefined;
  if (state === 'established') return isAt(dst!, vip) ? replace('dst', vip, member) : undefined;
  if (isAt(dst!, vip)) return replace('dst', { ...vip, port: client.port }, client);
  return isAt(src!, member) ? replace('src', member, vip) : undefined;
}

const textOf = ({ address, port }: Endpoint): string =>
  port === undefined ? address : address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;

/** Key of the member that a first packet's trace came to; undefined when it came to none. */
export function chosenMember(passes: readonly TracePass[]): number | undefined {
  for (const { steps } of passes) {
    for (const { match } of steps) {
      const found = /\breg6=(0x[0-9a-f]+)/.exec(match ?? '')?.[1];
      if (found !== undefined) return Number(found);
    }
  }
  return undefined;
}
