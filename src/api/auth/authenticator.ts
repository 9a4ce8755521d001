/** Finds out who sent a request, by whatever the request shows: a token, a password, a certificate. */
import { ApiError } from '../errors.ts';
import { ANYBODY, type Caller } from './caller.ts';
import type { AuthConfig } from './config.ts';
import type { KeystoneMiddleware } from './keystone.ts';
import { callerOf, type Logins, rolesIn, UNAUTHORIZED } from './logins.ts';
import { digest } from './passwords.ts';

/** What a request shows. */
export interface Shown {
  /** Address that it came from. */
  readonly source: string;
  /** `X-Auth-Token`. */
  readonly token?: string | undefined;
  /** `Authorization`. */
  readonly authorization?: string | undefined;
  /** `X-Project-Id`: which of a user's projects is meant, where a password alone does not tell. */
  readonly project?: string | undefined;
  /** The client's certificate, if our CA vouches for it. */
  readonly certificate?: { readonly commonName: string; readonly fingerprint: string } | undefined;
}

export interface Authenticator {
  /** Throws ApiError 401 for nobody, 429 for who fails too often, 503 when it cannot be found out now. */
  authenticate(shown: Shown): Caller | Promise<Caller>;
  /** `WWW-Authenticate` of a refusal. */
  readonly challenge: string | undefined;
}

/** The default: on loopback, whoever is on this machine. */
export const NO_AUTHENTICATION: Authenticator = { authenticate: () => ANYBODY, challenge: undefined };

export interface AuthenticatorInit {
  readonly config: AuthConfig;
  readonly logins: Logins;
  readonly keystone?: KeystoneMiddleware | undefined;
}

export function createAuthenticator({ config, logins, keystone }: AuthenticatorInit): Authenticator {
  const tokens = new Map(
    config.tokens.map(({ token, token_sha256: hash, name, project, roles }) => [
      hash?.toLowerCase() ?? digest(token!).toString('hex'),
      callerOf({ id: name, name }, project, roles),
    ]),
  );

  /** A digest tells nothing of the token, so that looking it up takes no secret time. */
  const byToken = async (token: string, source: string): Promise<Caller> => {
    const known = tokens.get(digest(token).toString('hex')) ?? byIssued(token) ?? (await keystone?.validate(token));
    if (known !== undefined) return known;
    // one of Keystone's that has ended looks like any other
    if (keystone !== undefined) throw new ApiError(401, UNAUTHORIZED);
    return logins.refuse(source, token);
  };

  const byIssued = (token: string): Caller | undefined => {
    const read = config.users ? logins.read(token) : undefined;
    return read && callerOf(read.user, read.claims.project, read.roles);
  };

  const byBasic = async (encoded: string, { source, project }: Shown): Promise<Caller> => {
    const [name, password] = splitOnce(Buffer.from(encoded, 'base64').toString(), ':');
    if (!config.users || password === undefined || password === '') throw new ApiError(401, UNAUTHORIZED);
    const user = await logins.byPassword(source, name, password);
    const chosen = project ?? Object.keys(user.grants)[0];
    const roles = chosen === undefined ? [] : rolesIn(user, chosen);
    if (roles === undefined) throw new ApiError(401, UNAUTHORIZED);
    return callerOf(user, chosen, roles);
  };

  const byCertificate = ({ commonName, fingerprint }: NonNullable<Shown['certificate']>): Caller | undefined => {
    const entry = config.certificates.find(
      (one) => one.fingerprint === fingerprint || (one.common_name !== undefined && one.common_name === commonName),
    );
    return entry && callerOf({ id: entry.name, name: entry.name }, entry.project, entry.roles);
  };

  return {
    challenge: config.users ? 'Basic realm="hostlb", charset="UTF-8"' : undefined,
    async authenticate(shown) {
      const { token, authorization = '', source, certificate } = shown;
      const [scheme, value = ''] = splitOnce(authorization, ' ');
      if (token !== undefined) return byToken(token, source);
      if (/^bearer$/i.test(scheme)) return byToken(value.trim(), source);
      if (/^basic$/i.test(scheme)) return byBasic(value.trim(), shown);
      const caller = certificate && byCertificate(certificate);
      if (caller === undefined) throw new ApiError(401, UNAUTHORIZED);
      return caller;
    },
  };
}

function splitOnce(text: string, separator: string): readonly [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)];
}
