/** Authentication as a whole, as a configuration file wants it. */
import type { Accounts } from '../../store/accounts.ts';
import { identityRoutes } from '../identity/routes.ts';
import type { Route } from '../route.ts';
import { type Authenticator, createAuthenticator, NO_AUTHENTICATION } from './authenticator.ts';
import type { AuthConfig } from './config.ts';
import { KeystoneMiddleware } from './keystone.ts';
import { Logins } from './logins.ts';
import { userRoutes } from './users.ts';

export interface Authentication {
  readonly authenticator: Authenticator;
  /** What comes with it: the identity API, and users. */
  readonly routes: readonly Route[];
  close(): void;
}

export interface AuthenticationInit {
  /** Undefined: there is no authentication, but users can be made for later. */
  readonly config: AuthConfig | undefined;
  readonly accounts: Accounts;
  readonly now?: (() => number) | undefined;
}

/** `accounts` has been started. */
export function createAuthentication({ config, accounts, now }: AuthenticationInit): Authentication {
  if (config === undefined) {
    return { authenticator: NO_AUTHENTICATION, routes: userRoutes(accounts), close: () => {} };
  }
  const logins = new Logins({ accounts, tokenLifetimeSeconds: config.token_lifetime, now });
  const keystone = config.keystone && new KeystoneMiddleware(config.keystone, now);
  const authenticator = createAuthenticator({ config, logins, keystone });
  return {
    authenticator,
    routes: config.users ? [...userRoutes(accounts), ...identityRoutes({ config, logins })] : [],
    close: () => keystone?.close(),
  };
}
