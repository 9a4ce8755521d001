/**
 * Delegation: asks a real Keystone whose a token is, as OpenStack's own services do, and remembers the answer for a while.
 * A token that Keystone takes back is refused when that while is over.
 */
import { readFileSync } from 'node:fs';
import http, { type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import https from 'node:https';
import { z } from 'zod';
import { ApiError } from '../errors.ts';
import type { Caller } from './caller.ts';
import type { KeystoneConfig } from './config.ts';
import { digest } from './passwords.ts';

const TIMEOUT_MS = 5_000;
const ANSWER_LIMIT_BYTES = 1024 * 1024;
const MOST_REMEMBERED = 10_000;
/** Tokens that are none are remembered for a short time only: a clock or a replica of Keystone may lag. */
const REFUSED_MS = 5_000;
const LONGEST_TOKEN = 8_192;

/** The parts of Keystone's answer that count; it has many more. */
const tokenSchema = z.object({
  token: z.object({
    expires_at: z.string(),
    user: z.object({ id: z.string(), name: z.string() }),
    project: z.object({ id: z.string() }).optional(),
    roles: z.array(z.object({ name: z.string() })).default([]),
  }),
});

interface Remembered {
  readonly caller: Caller | undefined;
  readonly untilMs: number;
}

interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: unknown;
}

export class KeystoneMiddleware {
  readonly #config: KeystoneConfig;
  readonly #agent: http.Agent | https.Agent;
  readonly #now: () => number;
  readonly #answers = new Map<string, Remembered>();
  readonly #asked = new Map<string, Promise<Caller | undefined>>();
  #serviceToken: Promise<string> | undefined;

  /** Throws when the CA's file cannot be read. */
  constructor(config: KeystoneConfig, now: () => number = Date.now) {
    this.#config = config;
    this.#now = now;
    const options = { keepAlive: true, maxSockets: 8 };
    this.#agent = config.auth_url.startsWith('https:')
      ? new https.Agent({ ...options, ...(config.ca_cert && { ca: readFileSync(config.ca_cert) }) })
      : new http.Agent(options);
  }

  /** Whose token it is; undefined: nobody's. Throws ApiError 503 when Keystone does not tell. */
  validate(token: string): Promise<Caller | undefined> {
    if (token.length > LONGEST_TOKEN || !/^[\x21-\x7e]+$/.test(token)) return Promise.resolve(undefined);
    const key = digest(token).toString('base64');
    const known = this.#answers.get(key);
    if (known !== undefined && known.untilMs > this.#now()) return Promise.resolve(known.caller);
    const asked = this.#asked.get(key);
    if (asked !== undefined) return asked;
    const asking = this.#ask(token)
      .then(({ caller, untilMs }) => {
        this.#remember(key, { caller, untilMs });
        return caller;
      })
      .finally(() => this.#asked.delete(key));
    this.#asked.set(key, asking);
    return asking;
  }

  close(): void {
    this.#agent.destroy();
  }

  #remember(key: string, answer: Remembered): void {
    this.#answers.delete(key);
    this.#answers.set(key, answer);
    if (this.#answers.size > MOST_REMEMBERED) this.#answers.delete(this.#answers.keys().next().value!);
  }

  async #ask(token: string): Promise<Remembered> {
    const now = this.#now();
    const { status, body } = await this.#asService(token);
    if (status === 404 || status === 400) return { caller: undefined, untilMs: now + REFUSED_MS };
    const answer = status === 200 ? tokenSchema.safeParse(body) : undefined;
    if (!answer?.success) throw unavailable(`it answered with HTTP ${status}`);
    const { user, project, roles, expires_at: expires } = answer.data.token;
    const untilMs = Math.min(now + this.#config.cache_seconds * 1000, Date.parse(expires) || 0);
    const caller = { user, project: project?.id, roles: new Set(roles.map(({ name }) => name)) };
    return untilMs > now ? { caller, untilMs } : { caller: undefined, untilMs: now + REFUSED_MS };
  }

  /** Our own token may have ended: then it is renewed, once. */
  async #asService(token: string): Promise<Answered> {
    for (let attempt = 0; ; attempt++) {
      this.#serviceToken ??= this.#logIn();
      const service = await this.#serviceToken.catch((error: unknown) => {
        this.#serviceToken = undefined;
        throw error;
      });
      const headers = { 'x-auth-token': service, 'x-subject-token': token };
      const answer = await this.#request('GET', '/auth/tokens?nocatalog', { headers });
      if (answer.status !== 401 || attempt > 0) return answer;
      this.#serviceToken = undefined;
    }
  }

  async #logIn(): Promise<string> {
    const { username, password, user_domain_name, project_name, project_domain_name } = this.#config;
    const user = { name: username, domain: { name: user_domain_name }, password };
    const scope = { project: { name: project_name, domain: { name: project_domain_name } } };
    const auth = { identity: { methods: ['password'], password: { user } }, scope };
    const { status, headers } = await this.#request('POST', '/auth/tokens', { body: { auth } });
    const token = headers['x-subject-token'];
    if (status !== 201 || typeof token !== 'string') {
      throw unavailable(`it does not let user ${username} log in (HTTP ${status})`);
    }
    return token;
  }

  #request(
    method: 'GET' | 'POST',
    path: string,
    { headers = {}, body }: { readonly headers?: Record<string, string>; readonly body?: unknown },
  ): Promise<Answered> {
    const target = `${this.#config.auth_url.replace(/\/+$/, '')}${path}`;
    const { request } = target.startsWith('https:') ? https : http;
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const json = { accept: 'application/json', ...(body !== undefined && { 'content-type': 'application/json' }) };
    return new Promise((resolve, reject) => {
      const fail = (error: Error) => reject(unavailable(error.message));
      const options = { method, agent: this.#agent, signal, headers: { ...json, ...headers } };
      request(target, options, (response) => {
        readJson(response).then(
          (value) => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: value }),
          fail,
        );
      })
        .on('error', fail)
        .end(body === undefined ? undefined : JSON.stringify(body));
    });
  }
}

async function readJson(response: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    if (sizeBytes > ANSWER_LIMIT_BYTES) throw new Error('its answer is too long');
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString();
  if (!response.headers['content-type']?.startsWith('application/json')) return undefined;
  return text === '' ? undefined : JSON.parse(text);
}

function unavailable(why: string): ApiError {
  return new ApiError(503, `Keystone cannot be asked: ${why}`);
}
