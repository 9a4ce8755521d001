import { randomBytes } from 'node:crypto';
import { timestamp } from '../../store/change-set.ts';
import type { ModelChange, Store } from '../../store/types.ts';
import type { EventJson } from '../resources.ts';
import { happenings } from './changes.ts';

/** How many events are remembered for those who resume. */
export const REMEMBERED = 8192;

type Follower = (event: EventJson) => void;

/**
 * The newest events of this process, oldest first. Ids are `EPOCH-NUMBER`: numbers rise without gaps, and the epoch is
 * another one after a restart, so that nobody resumes where he has not been.
 */
export class EventLog {
  readonly #store: Store;
  readonly #epoch = randomBytes(6).toString('hex');
  readonly #events: EventJson[] = [];
  readonly #followers = new Set<Follower>();
  readonly #now: () => Date;
  /** Number of the newest event. */
  #newest = 0;
  /** Where the oldest one is in the ring. */
  #oldest = 0;

  constructor(store: Store, now: () => Date = () => new Date()) {
    this.#store = store;
    this.#now = now;
    store.on('change', this.#record);
  }

  /** Id of the newest event, also while there was none. */
  get newest(): string {
    return `${this.#epoch}-${this.#newest}`;
  }

  /** All that are remembered, oldest first. */
  all(): readonly EventJson[] {
    return [...this.#events.slice(this.#oldest), ...this.#events.slice(0, this.#oldest)];
  }

  /** Those after the event with this id; undefined when some of them are forgotten, or the id is not of this process. */
  after(id: string): readonly EventJson[] | undefined {
    const [epoch, number] = id.split('-');
    const missed = /^\d{1,15}$/.test(number ?? '') ? this.#newest - Number(number) : Number.NaN;
    if (epoch !== this.#epoch || !(missed >= 0 && missed <= this.#events.length)) return undefined;
    return missed === 0 ? [] : this.all().slice(-missed);
  }

  /** Calls `follower` with each event from now on, until what it answers is called. */
  follow(follower: Follower): () => void {
    this.#followers.add(follower);
    return () => void this.#followers.delete(follower);
  }

  stop(): void {
    this.#store.off('change', this.#record);
    this.#followers.clear();
  }

  readonly #record = (change: ModelChange): void => {
    const time = timestamp(this.#now());
    for (const happening of happenings(change)) {
      this.#newest++;
      const event = { id: this.newest, time, ...happening };
      if (this.#events.length < REMEMBERED) this.#events.push(event);
      else {
        this.#events[this.#oldest] = event;
        this.#oldest = (this.#oldest + 1) % REMEMBERED;
      }
      for (const follower of this.#followers) follower(event);
    }
  };
}
