import { isIP } from 'node:net';

export const DEFAULT_API_ADDRESS = '127.0.0.1:9876';

/** Where the API listens. */
export interface ApiAddress {
  readonly host: string;
  readonly port: number;
}

/** An address that the API must not or cannot listen on. The message says what to write instead. */
export class AddressError extends Error {
  override readonly name = 'AddressError';
}

/**
 * Parses `ADDR:PORT`, IPv6 in brackets, port 0 for any free one. Throws AddressError for anything else and, without
 * authentication, for an address that other machines can reach.
 */
export function parseApiAddress(
  text: string,
  { authenticates = false }: { readonly authenticates?: boolean } = {},
): ApiAddress {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]*)\]|([^:[\]]*)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain ?? '';
  const port = Number(digits ?? Number.NaN);
  const valid = bracketed === undefined ? isIP(host) === 4 || host === 'localhost' : isIP(host) === 6;
  if (!valid || !(port <= 65535)) {
    throw new AddressError(`'${text.slice(0, 80)}' is not ADDRESS:PORT, e.g. ${DEFAULT_API_ADDRESS} or [::1]:9876`);
  }
  if (!authenticates && !isLoopback(host)) {
    throw new AddressError(
      `without authentication the API does not listen on ${host}, where others can reach it: give --auth FILE, or use 127.0.0.1`,
    );
  }
  return { host, port };
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}
