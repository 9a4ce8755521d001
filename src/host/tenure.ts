/**
 * Who keeps a bridge, of several controllers that could: never two at a time, and never in turns.
 *
 * - A bridge belongs to one state database, whose id stands at our listener in the host's database. The controllers of
 *   another one touch nothing until they are told to take over (docs/decisions/one-keeper.md).
 * - The controllers of one state database stand by for each other: who holds a lock in the host's database keeps the
 *   bridge, and the lock goes with its holder's connection.
 */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Lock, OvsdbClient } from '../ovsdb/index.ts';
import { bridgeNamed, claimOf } from './bridge.ts';
import { HostError } from './errors.ts';
import type { OvsTables } from './ovs-tables.ts';

export interface TenureInit {
  readonly ovsdb: OvsdbClient<OvsTables>;
  readonly bridge: string;
  /** Id of the state database. */
  readonly database: string;
  /** Somebody else keeps the bridge now. */
  readonly lost: () => void;
  /** Another controller of the same state database keeps the bridge: what it says of itself. */
  readonly waits: (forWhom: string) => void;
}

/** How long a lock may take to be had where nobody else wants it. */
const PATIENCE_MS = 1_000;
const NEVER = new AbortController().signal;

export class Tenure {
  /** What others read of this keeper. */
  readonly controller = `${hostname()} pid ${process.pid} ${randomUUID().slice(0, 8)}`;
  readonly #init: TenureInit;
  readonly #lockName: string;
  #lock: Lock | undefined;
  #isHeld = false;
  #isToTakeOver = false;
  /** Whether the lock may be held by our own former connection, of which the server does not know yet that it is gone. */
  #hasGhost = false;
  #isStandingBy = false;

  constructor(init: TenureInit) {
    this.#init = init;
    this.#lockName = `hostlb_${init.bridge.replace(/\W/g, '_')}`;
    const { ovsdb } = init;
    ovsdb.on('lockLost', (_, reason) => {
      this.#hasGhost = reason === 'disconnected';
      if (reason === 'stolen') this.#lose();
    });
    ovsdb.on('locked', () => {
      this.#hasGhost = false;
    });
    ovsdb.on('change', () => {
      if (this.#isHeld && this.#isForeign) this.#lose();
    });
    ovsdb.on('synced', () => void this.#confirm());
  }

  /** Whether the bridge is ours to keep. A lost connection to the host's database alone changes nothing. */
  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** Whether another controller of the same state database keeps the bridge, and reports of it. */
  get isStandingBy(): boolean {
    return this.#isStandingBy;
  }

  /** At the next `begin` the bridge is taken from whoever keeps it. */
  takeOver(): void {
    if (this.#isHeld) return;
    this.#isToTakeOver = true;
    if (this.#lock !== undefined) void this.#release();
  }

  /** Resolves when the bridge is ours. Throws HostError where it belongs to another state database; and when the signal aborts. */
  async begin(signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      await this.#refuseForeign();
      this.#lock ??= this.#ask();
      if (await this.#isHad(signal)) break;
      if (!this.#isForeign) this.#lookWhoHolds();
    }
    this.#isStandingBy = false;
    this.#isHeld = true;
  }

  /** The claim has been written: there is nobody any more to take over from. */
  claimed(): void {
    this.#isToTakeOver = false;
  }

  get #claim() {
    const bridge = bridgeNamed(this.#init.ovsdb, this.#init.bridge);
    return bridge && claimOf(this.#init.ovsdb, bridge);
  }

  get #isForeign(): boolean {
    const database = this.#claim?.database;
    return database !== undefined && database !== this.#init.database && !this.#isToTakeOver;
  }

  async #refuseForeign(): Promise<void> {
    if (!this.#isForeign) return;
    this.#isStandingBy = false;
    if (this.#lock !== undefined) await this.#release();
    const { bridge } = this.#init;
    const by = this.#claim?.controller ?? 'a controller';
    const what = `bridge ${bridge} is kept for another state database, by ${by}`;
    throw new HostError('kept-by-others', `${what}: delete the host there, or take it over with hostlb host take-over`);
  }

  #ask(): Lock {
    return this.#init.ovsdb.lock(this.#lockName, { steal: this.#isToTakeOver });
  }

  async #release(): Promise<void> {
    this.#lock = undefined;
    // A connection that has ended has released it.
    await this.#init.ovsdb.unlock(this.#lockName).catch(() => {});
  }

  #lookWhoHolds(): void {
    const holder = this.#claim?.controller;
    if (holder === this.controller && this.#hasGhost) this.#takeBack();
    else {
      this.#isStandingBy = true;
      this.#init.waits(holder ?? 'unknown');
    }
  }

  /** From our ghost. In one go: where the switch was lost, too, two wait for the lock, and either may get here. */
  #takeBack(): void {
    void this.#release();
    this.#lock = this.#init.ovsdb.lock(this.#lockName, { steal: true });
  }

  /** After a reconnect the lock may be with our ghost, or with somebody who was faster; a moment later it is clear who. */
  async #confirm(): Promise<void> {
    if (!this.#isHeld || (await this.#isHad(NEVER))) return;
    if (!this.#isHeld || !this.#init.ovsdb.synced) return;
    if (this.#claim?.controller === this.controller && this.#hasGhost) this.#takeBack();
    else this.#lose();
  }

  #lose(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#init.lost();
  }

  /** Whether the lock is had; given a while, unless the claim becomes somebody else's meanwhile. */
  async #isHad(signal: AbortSignal): Promise<boolean> {
    const deadline = performance.now() + PATIENCE_MS;
    while (this.#lock?.held === false && !this.#isForeign && !signal.aborted) {
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) break;
      await this.#news(signal, leftMs);
    }
    return this.#lock?.held === true;
  }

  /** Until the lock is had, something changes in the host's database, or the time has passed. */
  #news(signal: AbortSignal, withinMs: number): Promise<void> {
    const { ovsdb } = this.#init;
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        ovsdb.off('locked', done).off('change', done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, withinMs);
      ovsdb.on('locked', done).on('change', done);
      signal.addEventListener('abort', done);
    });
  }
}
