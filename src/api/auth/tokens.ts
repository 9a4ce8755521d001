/** Tokens that we issue: signed, not stored, so that every process on the state database accepts what one of them gave. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';

const claimsSchema = z.strictObject({
  id: z.string().max(64),
  user: z.string().max(64),
  project: z.string().max(255).optional(),
  methods: z.array(z.string().max(32)).max(8),
  /** The application credential that it was got with. */
  credential: z.string().max(64).optional(),
  /** In s since 1970, as `expires`. */
  issued: z.int(),
  expires: z.int(),
  /** What stands for the user's password when it was issued: another password ends it. */
  seal: z.string().max(64),
});
export type Claims = z.output<typeof claimsSchema>;

const PREFIX = 'hlb1';
const LONGEST = 2048;

function signature(payload: string, key: Buffer): Buffer {
  return createHmac('sha256', key).update(`${PREFIX}.${payload}`).digest();
}

export function signToken(claims: Claims, key: Buffer): string {
  const payload = Buffer.from(JSON.stringify(claims)).toString('base64url');
  return `${PREFIX}.${payload}.${signature(payload, key).toString('base64url')}`;
}

/** What the token says; undefined when it is none of ours, or its time is over. */
export function readToken(token: string, key: Buffer, nowMs: number): Claims | undefined {
  const claims = readSigned(token, key);
  return claims !== undefined && claims.expires * 1000 > nowMs ? claims : undefined;
}

/** What the token says or said; undefined when it is none of ours. */
export function readSigned(token: string, key: Buffer): Claims | undefined {
  if (token.length > LONGEST) return undefined;
  const [prefix, payload, signed, ...rest] = token.split('.');
  if (prefix !== PREFIX || payload === undefined || signed === undefined || rest.length > 0) return undefined;
  const actual = Buffer.from(signed, 'base64url');
  const wanted = signature(payload, key);
  if (actual.length !== wanted.length || !timingSafeEqual(actual, wanted)) return undefined;
  const claims = claimsSchema.safeParse(JSON.parse(Buffer.from(payload, 'base64url').toString()));
  return claims.success ? claims.data : undefined;
}

/** A few bits that change with the password, and tell nothing about it. */
export function sealOf(passwordHash: string | undefined, key: Buffer): string {
  return createHmac('sha256', key)
    .update(`seal ${passwordHash ?? ''}`)
    .digest('base64url')
    .slice(0, 16);
}
