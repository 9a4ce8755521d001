/** TLS of the API's listener. */
import { readFileSync } from 'node:fs';
import type { ServerOptions } from 'node:https';
import type { TLSSocket } from 'node:tls';
import type { ApiTlsFiles } from '../controller/options.ts';
import { AddressError } from './address.ts';

function readPem(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new AddressError(`${file} cannot be read: ${(error as Error).message}`);
  }
}

/** Reads the files; throws AddressError. Whether a client needs a certificate is for authentication to say, so one without gets an answer. */
export function tlsOptions({ privateKey, certificate, clientCa }: ApiTlsFiles): ServerOptions {
  return {
    key: readPem(privateKey),
    cert: readPem(certificate),
    minVersion: 'TLSv1.2',
    ...(clientCa !== undefined && { ca: readPem(clientCa), requestCert: true, rejectUnauthorized: false }),
  };
}

/** What tells a client by its certificate; undefined without one that our CA vouches for. */
export function clientCertificate(
  socket: object,
): { readonly commonName: string; readonly fingerprint: string } | undefined {
  if (!('authorized' in socket) || socket.authorized !== true) return undefined;
  const { subject, fingerprint256 } = (socket as TLSSocket).getPeerCertificate();
  // several names in one certificate are no name
  const commonName: unknown = subject?.CN;
  if (typeof fingerprint256 !== 'string') return undefined;
  return {
    commonName: typeof commonName === 'string' ? commonName : '',
    fingerprint: fingerprint256.replaceAll(':', '').toLowerCase(),
  };
}
