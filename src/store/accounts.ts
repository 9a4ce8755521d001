/**
 * Who may use the API: users, their application credentials, and what tokens are signed with. A replica and writes of its
 * own, so that secrets reach only the processes that serve the API, and a change of them recomputes nothing else.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { ModelError } from '../model/errors.ts';
import { EMPTY_MODEL } from '../model/lookup.ts';
import {
  boolean,
  byUuid,
  commit,
  createOvsdbClient,
  insert,
  integer,
  mapOf,
  mutate,
  type Operation,
  type OvsdbClient,
  optional,
  type Row,
  remove,
  setOf,
  string,
  table,
  update,
  uuid,
} from '../ovsdb/index.ts';
import { timestamp } from './change-set.ts';
import type { DatabaseInit } from './database.ts';
import { StoreError } from './errors.ts';
import { DATABASE } from './rows.ts';
import { type Draft, Writer } from './writer.ts';

const UserTable = table('User', {
  name: string,
  password: optional(string),
  enabled: boolean,
  grants: mapOf(string, string),
  created_at: string,
});

const CredentialTable = table('Application_Credential', {
  name: string,
  user: uuid,
  project: string,
  roles: setOf(string),
  secret: string,
  expires_at: optional(integer),
  created_at: string,
});

/** One row: the key that signs tokens, and the tokens that were taken back with the time (in s) when they would end. */
const TokenKeyTable = table('Token_Key', { key: string, revoked: mapOf(string, integer) });

const TABLES = { users: UserTable, credentials: CredentialTable, keys: TokenKeyTable } as const;

export interface User {
  readonly id: string;
  readonly name: string;
  /** As `hashPassword` makes it; undefined: cannot log in with a password. */
  readonly passwordHash: string | undefined;
  readonly enabled: boolean;
  /** Project → roles in it. */
  readonly grants: Readonly<Record<string, readonly string[]>>;
  readonly createdAt: string;
}

export interface ApplicationCredential {
  readonly id: string;
  readonly name: string;
  readonly userId: string;
  readonly project: string;
  readonly roles: readonly string[];
  /** As a user's `passwordHash`. */
  readonly secretHash: string;
  /** In s since 1970; undefined: never. */
  readonly expiresAt: number | undefined;
  readonly createdAt: string;
}

/** What is undefined stays; of a new user it is what it is without. */
export interface UserPatch {
  readonly passwordHash?: string | undefined;
  readonly enabled?: boolean | undefined;
  readonly grants?: Readonly<Record<string, readonly string[]>> | undefined;
}

const LIMITS = { users: 10_000, credentialsPerUser: 100, revoked: 10_000 } as const;
const TOKEN_KEY_BYTES = 32;

export interface AccountsInit extends DatabaseInit {
  readonly now?: (() => Date) | undefined;
}

export class Accounts {
  readonly #client: OvsdbClient<typeof TABLES>;
  readonly #writer: Writer;
  readonly #now: () => Date;
  readonly #remote: string;
  /** Name → row; made anew when users change. */
  #names: ReadonlyMap<string, string> | undefined;

  constructor({ remote, tls, backoffMs, now = () => new Date() }: AccountsInit) {
    this.#remote = remote;
    this.#now = now;
    this.#client = createOvsdbClient({
      ...{ remote, database: DATABASE, tables: TABLES },
      ...(tls && { tls }),
      ...(backoffMs && { backoffMs }),
    });
    this.#client.on('change', () => {
      this.#names = undefined;
    });
    const client = this.#client;
    this.#writer = new Writer({
      now,
      // Nothing here is numbered, and no draft looks at the model.
      database: {
        model: EMPTY_MODEL,
        get synced() {
          return client.synced;
        },
        base: () => undefined,
        transact: (operations) => client.transact(operations),
        whenSynced: (options) => client.whenSynced(options),
        whenShown: async () => {},
      },
    });
  }

  /** Resolves when the replica is complete and there is a key for tokens. Throws StoreError. */
  async start(signal?: AbortSignal): Promise<void> {
    this.#client.start();
    try {
      await this.#client.whenSynced(signal === undefined ? {} : { signal });
    } catch (cause) {
      await this.stop();
      throw new StoreError('unavailable', `the state database at ${this.#remote} cannot be used`, { cause });
    }
    await this.#write(() => {
      if (this.#key !== undefined) return [];
      const key = randomBytes(TOKEN_KEY_BYTES).toString('base64');
      return [insert(TokenKeyTable, { key, revoked: {} })];
    }).catch((error: unknown) => {
      // Another process was faster: the table takes one row.
      if (this.#key === undefined) throw error;
    });
  }

  stop(): Promise<void> {
    return this.#client.stop();
  }

  /** What tokens are signed with; the same in all processes on this database. */
  get tokenKey(): Buffer {
    if (this.#key === undefined) throw new StoreError('unavailable', 'the state database has no key for tokens');
    return Buffer.from(this.#key.key, 'base64');
  }

  isRevoked(tokenId: string): boolean {
    return Object.hasOwn(this.#key?.revoked ?? {}, tokenId);
  }

  users(): readonly User[] {
    return [...this.#client.tables.users.values()].map(userOf).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** By id, else by name. */
  findUser(idOrName: string): User | undefined {
    const { users } = this.#client.tables;
    const row = users.get(idOrName) ?? users.get(this.#byName().get(idOrName) ?? '');
    return row && userOf(row);
  }

  /** Throws ModelError('not-found'). */
  requireUser(idOrName: string): User {
    const user = this.findUser(idOrName);
    if (user === undefined) throw new ModelError('not-found', `User ${idOrName} not found.`);
    return user;
  }

  /** Every project that a user has a role in. */
  projects(): ReadonlySet<string> {
    return new Set(this.users().flatMap(({ grants }) => Object.keys(grants)));
  }

  findCredential(id: string): ApplicationCredential | undefined {
    const row = this.#client.tables.credentials.get(id);
    return row && credentialOf(row);
  }

  credentialsOf(userId: string): readonly ApplicationCredential[] {
    return [...this.#client.tables.credentials.values()].filter(({ user }) => user === userId).map(credentialOf);
  }

  /** Creates or changes the user of that name. */
  async putUser(name: string, patch: UserPatch): Promise<User> {
    const id = randomUUID();
    await this.#write(() => {
      const existing = this.findUser(name);
      if (existing === undefined && this.#client.tables.users.size >= LIMITS.users) {
        throw new ModelError('conflict', `There are ${LIMITS.users} users: no more fit`);
      }
      const { passwordHash: password, enabled, grants } = patch;
      const row = {
        ...(password !== undefined && { password }),
        ...(enabled !== undefined && { enabled }),
        ...(grants !== undefined && { grants: encodeGrants(grants) }),
      };
      if (existing !== undefined)
        return Object.keys(row).length === 0 ? [] : [update(UserTable, byUuid(existing.id), row)];
      const created = { enabled: true, ...row, name, created_at: timestamp(this.#now()) };
      return [insert(UserTable, created, { uuid: id })];
    });
    return this.requireUser(name);
  }

  /** With all credentials of the user. Throws ModelError('not-found'). */
  async deleteUser(idOrName: string): Promise<void> {
    const { id } = this.requireUser(idOrName);
    await this.#write(() =>
      this.findUser(id) === undefined
        ? []
        : [remove(CredentialTable, [['user', '==', id]]), remove(UserTable, byUuid(id))],
    );
  }

  /** Throws ModelError('conflict') when the user has one of that name. */
  async createCredential(init: Omit<ApplicationCredential, 'id' | 'createdAt'>): Promise<ApplicationCredential> {
    const id = randomUUID();
    await this.#write(() => {
      if (this.#client.tables.credentials.has(id)) return [];
      const others = this.credentialsOf(init.userId);
      if (others.some(({ name }) => name === init.name)) {
        throw new ModelError('conflict', `There is an application credential ${init.name} already`);
      }
      if (others.length >= LIMITS.credentialsPerUser) {
        throw new ModelError('conflict', `A user has at most ${LIMITS.credentialsPerUser} application credentials`);
      }
      const row = {
        ...{ name: init.name, user: init.userId, project: init.project, roles: [...init.roles] },
        ...{ secret: init.secretHash, expires_at: init.expiresAt, created_at: timestamp(this.#now()) },
      };
      return [insert(CredentialTable, row, { uuid: id })];
    });
    return this.findCredential(id)!;
  }

  async deleteCredential(id: string): Promise<void> {
    await this.#write(() => (this.findCredential(id) === undefined ? [] : [remove(CredentialTable, byUuid(id))]));
  }

  /** Takes a token back; `expiresAt` (in s) is when it would end by itself, and is forgotten. Throws ModelError when too many are. */
  async revoke(tokenId: string, expiresAt: number): Promise<void> {
    await this.#write(() => {
      const row = this.#key;
      if (row === undefined || Object.hasOwn(row.revoked, tokenId)) return [];
      const now = this.#now().getTime() / 1000;
      const over = Object.keys(row.revoked).filter((id) => row.revoked[id]! <= now);
      if (Object.keys(row.revoked).length - over.length >= LIMITS.revoked) {
        throw new ModelError('conflict', 'Too many tokens were taken back: this one ends by itself');
      }
      return [
        mutate(TokenKeyTable, byUuid(row._uuid), [
          ['revoked', 'delete', over],
          ['revoked', 'insert', { [tokenId]: expiresAt }],
        ]),
      ];
    });
  }

  get #key(): Row<typeof TokenKeyTable> | undefined {
    const [row] = this.#client.tables.keys.values();
    return row;
  }

  #byName(): ReadonlyMap<string, string> {
    this.#names ??= new Map([...this.#client.tables.users.values()].map(({ name, _uuid }) => [name, _uuid]));
    return this.#names;
  }

  /** `plan` is asked again after a lost race or connection, and then finds nothing left to do if it had succeeded. */
  #write(plan: () => readonly Operation[]): Promise<void> {
    return this.#writer.report((): Draft<void> => {
      const operations = plan();
      return {
        operations: operations.length === 0 ? [] : [...operations, commit({ durable: true })],
        result: undefined,
      };
    });
  }
}

function userOf(row: Row<typeof UserTable>): User {
  const grants = Object.entries(row.grants).map(([project, roles]) => [project, roles.split(',')]);
  return {
    ...{ id: row._uuid, name: row.name, passwordHash: row.password, enabled: row.enabled, createdAt: row.created_at },
    grants: Object.fromEntries(grants),
  };
}

function encodeGrants(grants: Readonly<Record<string, readonly string[]>>): Record<string, string> {
  return Object.fromEntries(Object.entries(grants).map(([project, roles]) => [project, roles.join(',')]));
}

function credentialOf(row: Row<typeof CredentialTable>): ApplicationCredential {
  return {
    ...{ id: row._uuid, name: row.name, userId: row.user, project: row.project, roles: row.roles },
    ...{ secretHash: row.secret, expiresAt: row.expires_at, createdAt: row.created_at },
  };
}
