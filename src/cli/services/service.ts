/**
 * A service as ovn-nbctl, ipvsadm and others see it: one VIP and port, a transport, and where its connections go. A load
 * balancer is several of these: one per listener and VIP.
 */
import { canonicalAddress, familyOf, isAddress } from '../../model/addresses.ts';
import { TRANSPORTS, type Transport } from '../../model/transport.ts';
import type { Algorithm } from '../../model/types.ts';
import { UsageError } from '../io.ts';

/** An address and a port. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

export interface Backend extends Endpoint {
  readonly weight: number;
}

export interface Service {
  /** Of its load balancer. */
  readonly name: string;
  readonly vip: Endpoint;
  readonly transport: Transport;
  readonly algorithm: Algorithm;
  /** Whether the same source keeps its member. */
  readonly sticky: boolean;
  readonly backends: readonly Backend[];
}

/** `10.0.0.1:80` or `[fd00::1]:80`; undefined for anything else. */
export function parseEndpoint(text: string): Endpoint | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  const address = match?.[1] ?? match?.[2] ?? '';
  const port = Number(match?.[3]);
  if (!(port >= 1 && port <= 65535) || !isAddress(address)) return undefined;
  if ((familyOf(address) === 6) !== (match?.[1] !== undefined)) return undefined;
  return { address: canonicalAddress(address), port };
}

/** The opposite of `parseEndpoint`. */
export function printEndpoint({ address, port }: Endpoint): string {
  return familyOf(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`;
}

/** As `parseEndpoint`. Throws UsageError that names the text. */
export function requireEndpoint(text: string): Endpoint {
  const endpoint = parseEndpoint(text);
  if (endpoint === undefined) throw new UsageError(`'${text}' is not ADDRESS:PORT (IPv6: [ADDRESS]:PORT)`);
  return endpoint;
}

/** `IP:PORT,IP:PORT`, all of the family of the VIP. Throws UsageError. */
export function requireBackends(text: string, vip: Endpoint): readonly Backend[] {
  const backends = new Map<string, Backend>();
  for (const part of text.split(',').map((one) => one.trim())) {
    const endpoint = requireEndpoint(part);
    if (familyOf(endpoint.address) !== familyOf(vip.address)) {
      throw new UsageError(`'${part}' is of another address family than the VIP ${vip.address}`);
    }
    backends.set(printEndpoint(endpoint), { ...endpoint, weight: 1 });
  }
  return [...backends.values()];
}

/** Throws UsageError for a protocol that is none of these. */
export function requireTransport(text: string): Transport {
  const found = TRANSPORTS.find((one) => one === text);
  if (found === undefined) throw new UsageError(`'${text}': the protocol must be tcp, udp or sctp`);
  return found;
}
