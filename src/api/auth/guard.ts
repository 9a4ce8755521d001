/** Stands before every route: who asks, and may they ask such a thing at all. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ApiError } from '../errors.ts';
import { clientCertificate } from '../tls.ts';
import type { Authenticator, Shown } from './authenticator.ts';
import { ANYBODY, type Caller } from './caller.ts';
import { type Access, requireAccess } from './policy.ts';

const callers = new WeakMap<FastifyRequest, Caller>();

/** A hook that lets pass who may, before the body is read. Throws ApiError 401, 403, 429, 503. */
export function guard(access: Access, { authenticate, challenge }: Authenticator) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    if (access === 'public') return;
    try {
      const caller = await authenticate(shownBy(request));
      callers.set(request, caller);
      requireAccess(caller, access, request.params as Record<string, string>);
    } catch (error) {
      if (error instanceof ApiError && error.status === 401 && challenge !== undefined) {
        reply.header('www-authenticate', challenge);
      }
      throw error;
    }
  };
}

/** Who sent the request; at a public route nobody in particular. */
export function callerOf(request: FastifyRequest): Caller {
  return callers.get(request) ?? NOBODY;
}
const NOBODY: Caller = { ...ANYBODY, roles: new Set() };

function shownBy(request: FastifyRequest): Shown {
  const header = (name: string): string | undefined => [request.headers[name]].flat()[0];
  return {
    source: request.ip,
    token: header('x-auth-token'),
    authorization: header('authorization'),
    project: header('x-project-id'),
    certificate: clientCertificate(request.socket),
  };
}
