/** Passwords: kept as scrypt hashes only, compared in constant time, and not hashed more often than the machine can bear. */
import { createHash, createHmac, randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { ApiError } from '../errors.ts';

/** scrypt's parameters. */
interface Cost {
  readonly N: number;
  readonly r: number;
  readonly p: number;
}

/** 32 MiB and about a tenth of a second for each. */
const COST: Cost = { N: 2 ** 15, r: 8, p: 1 };
const KEY_BYTES = 32;
const SALT_BYTES = 16;
const MAX_MEMORY_BYTES = 64 * 1024 * 1024;

/** Hashes at a time, and how many may wait for their turn: bounds memory and what a flood can cost. */
const AT_ONCE = 2;
const WAITING = 64;

const FORMAT = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([\w+/]+)\$([\w+/]+)$/;

const derive = promisify<string, Buffer, number, object, Buffer>(scrypt);

let running = 0;
const queue: (() => void)[] = [];

async function inTurn<T>(task: () => Promise<T>): Promise<T> {
  if (running >= AT_ONCE) {
    if (queue.length >= WAITING) throw new ApiError(503, 'Too many logins at once, try again later');
    await new Promise<void>((resolve) => queue.push(resolve));
  } else running++;
  try {
    return await task();
  } finally {
    const next = queue.shift();
    if (next === undefined) running--;
    else next();
  }
}

const base64 = (bytes: Buffer): string => bytes.toString('base64').replace(/=+$/, '');

/** The text that is stored of a password, in the format that other programs have for scrypt: `$scrypt$ln=…$salt$hash`. */
export async function hashPassword(password: string, cost: Cost = COST): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const { N, r, p } = cost;
  const key = await inTurn(() => derive(password, salt, KEY_BYTES, { N, r, p, maxmem: MAX_MEMORY_BYTES }));
  return `$scrypt$ln=${Math.log2(N)},r=${r},p=${p}$${base64(salt)}$${base64(key)}`;
}

/** Whether this is the password of which that is stored. Without a stored one the answer is no, and takes as long. */
export async function verifyPassword(password: string, stored: string | undefined): Promise<boolean> {
  const [, ln = '15', r = '8', p = '1', salt = '', hash = ''] = FORMAT.exec(stored ?? '') ?? [];
  const wanted = hash === '' ? Buffer.alloc(KEY_BYTES) : Buffer.from(hash, 'base64');
  const options = { N: 2 ** Number(ln), r: Number(r), p: Number(p), maxmem: MAX_MEMORY_BYTES };
  const key = await inTurn(() => derive(password, Buffer.from(salt, 'base64'), wanted.length, options));
  return timingSafeEqual(key, wanted) && hash !== '';
}

/** What stands for a random secret: a plain digest will do, since nobody can guess it. */
export function digest(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}

const MOST_REMEMBERED = 1_000;
const REMEMBERED_MS = 300_000;

/**
 * Remembers for five minutes which passwords were right, so that clients that send theirs with every request do not wait
 * for scrypt each time. Keys are keyed digests of the stored hash and the password: a password that was changed is not in it.
 */
export class VerifiedPasswords {
  readonly #key = randomBytes(32);
  readonly #now: () => number;
  readonly #until = new Map<string, number>();

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Whether it is remembered as right. */
  knows(password: string, stored: string): boolean {
    return (this.#until.get(this.keyOf(password, stored)) ?? 0) > this.#now();
  }

  /** As `verifyPassword`. */
  async verify(password: string, stored: string | undefined): Promise<boolean> {
    const right = await verifyPassword(password, stored);
    if (right) this.#remember(this.keyOf(password, stored ?? ''));
    return right;
  }

  /** What stands for the password in connection with a text, and tells neither. */
  keyOf(password: string, text: string): string {
    return createHmac('sha256', this.#key).update(`${text}\0${password}`).digest('base64');
  }

  #remember(key: string): void {
    this.#until.delete(key);
    this.#until.set(key, this.#now() + REMEMBERED_MS);
    if (this.#until.size > MOST_REMEMBERED) this.#until.delete(this.#until.keys().next().value!);
  }
}
