/** Application credentials: for programs that act for a user in one project, with no more than the user's roles there. */
import { randomBytes } from 'node:crypto';
import type { ApplicationCredential } from '../../store/accounts.ts';
import { rolesIn } from '../auth/logins.ts';
import { hashPassword } from '../auth/passwords.ts';
import { FORBIDDEN } from '../auth/policy.ts';
import { ApiError, shorten } from '../errors.ts';
import { type Answer, type Call, param, type Route } from '../route.ts';
import { credentialJson } from './json.ts';
import { credentialRequest, readRequest } from './requests.ts';
import type { IdentityInit } from './routes.ts';

const SECRET_BYTES = 64;

export function credentialRoutes({ logins }: IdentityInit): readonly Route[] {
  const { accounts } = logins;

  /** The caller's own id, as the path must have it. Throws ApiError 403. */
  const ownId = (call: Call): string => {
    const id = param(call, 'id');
    if (id !== call.caller.user.id || accounts.findUser(id)?.id !== id) throw new ApiError(403, FORBIDDEN);
    return id;
  };

  const own = (call: Call): ApplicationCredential => {
    const userId = ownId(call);
    const credential = accounts.findCredential(param(call, 'credential'));
    if (credential === undefined || credential.userId !== userId) {
      throw new ApiError(404, `Could not find Application Credential: ${shorten(param(call, 'credential'))}.`);
    }
    return credential;
  };

  const list = (call: Call): Answer => {
    const name = call.query.get('name');
    const all = accounts.credentialsOf(ownId(call)).filter((one) => name === null || one.name === name);
    return { body: { application_credentials: all.map(credentialJson), links: {} } };
  };

  const create = async (call: Call): Promise<Answer> => {
    const userId = ownId(call);
    const { project } = call.caller;
    const user = accounts.requireUser(userId);
    const granted = project === undefined ? undefined : rolesIn(user, project);
    if (project === undefined || granted === undefined || isFromCredential(call)) throw new ApiError(403, FORBIDDEN);
    const { application_credential: wanted } = readRequest(credentialRequest, call.body);
    const roles = wanted.roles?.map((role) => role.id ?? role.name ?? '') ?? granted;
    if (roles.some((role) => !granted.includes(role))) throw new ApiError(403, FORBIDDEN);
    const secret = wanted.secret ?? randomBytes(SECRET_BYTES).toString('base64url');
    const credential = await accounts.createCredential({
      ...{ name: wanted.name, userId, project, roles, secretHash: await hashPassword(secret) },
      expiresAt: readTime(wanted.expires_at),
    });
    return { status: 201, body: { application_credential: { ...credentialJson(credential), secret } } };
  };

  /** A token from a credential must not make others that outlive it. */
  const isFromCredential = (call: Call): boolean => {
    const token = call.header('x-auth-token');
    return token !== undefined && logins.read(token)?.claims.credential !== undefined;
  };

  const remove = async (call: Call): Promise<Answer> => {
    const { id } = own(call);
    if (isFromCredential(call)) throw new ApiError(403, FORBIDDEN);
    await accounts.deleteCredential(id);
    return { status: 204 };
  };

  const all = '/users/:id/application_credentials';
  return [
    { method: 'GET', path: all, answer: list },
    { method: 'POST', path: all, answer: create },
    {
      method: 'GET',
      path: `${all}/:credential`,
      answer: (call) => ({ body: { application_credential: credentialJson(own(call)) } }),
    },
    { method: 'DELETE', path: `${all}/:credential`, answer: remove },
  ];
}

/** Seconds since 1970. Throws ApiError 400. */
function readTime(text: string | null | undefined): number | undefined {
  if (text === null || text === undefined) return undefined;
  const time = Date.parse(/Z|[+-]\d\d:?\d\d$/.test(text) ? text : `${text}Z`);
  if (Number.isNaN(time) || time <= Date.now()) throw new ApiError(400, 'expires_at must be a time in the future');
  return Math.floor(time / 1000);
}
