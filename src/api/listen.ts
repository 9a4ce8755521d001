import type { FastifyInstance } from 'fastify';
import { AddressError, DEFAULT_API_ADDRESS, parseApiAddress } from './address.ts';

export interface ListenOptions {
  /** `ADDR:PORT`, default 127.0.0.1:9876. */
  readonly address?: string | undefined;
  /** Whether the API authenticates: only then may it listen where other machines can reach it. */
  readonly authenticates?: boolean | undefined;
}

/**
 * Starts to serve the API; answers its URL. Throws AddressError for an address that is malformed, reachable from
 * outside without authentication, or taken. `app.close()` stops it.
 */
export async function listen(app: FastifyInstance, options: ListenOptions = {}): Promise<string> {
  const { address = DEFAULT_API_ADDRESS, authenticates = false } = options;
  const { host, port } = parseApiAddress(address, { authenticates });
  try {
    return await app.listen({ host, port });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EADDRINUSE') throw new AddressError(`${address} is already in use: is another controller running?`);
    if (code === 'EADDRNOTAVAIL') throw new AddressError(`${address}: this machine does not have that address`);
    if (code === 'EACCES') throw new AddressError(`${address}: listening there is not permitted`);
    throw error;
  }
}
