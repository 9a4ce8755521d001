/**
 * Slot tables: which member each bucket of a select group stands for. The number of buckets is constant, so the switch
 * never re-hashes; weights are numbers of slots; a change re-points few slots. The table is a function of the members
 * and of the table before, which the state database remembers, so every host has the same one.
 */

export interface SlotMember {
  readonly key: number;
  /** Relative share, 1 to 65,536: a weight, times a locality factor. */
  readonly weight: number;
}

/** Slots of every table, and so the most members that a pool can serve: Open vSwitch hashes to at most 256 values. */
export const SLOTS = 256;

/**
 * Slot → key of its member: `SLOTS` entries; none without members.
 *
 * Every member has its share by weight, rounded down or up, but at least one slot. Where many small members leave too
 * little for that, they have one slot each and the others share what remains by weight.
 *
 * Slots stay with whom they had in the table `before`, as far as shares allow: so no more change hands than must. The
 * rest goes by fit, the best pair of slot and member first. A table that is dealt again for the same members is the same.
 */
export function slotTable(members: readonly SlotMember[], before: readonly number[] = []): readonly number[] {
  if (members.length === 0) return [];
  const ordered = [...members].sort((a, b) => a.key - b.key);
  const { least, most, extras } = quotas(ordered);
  const table = new Array<number | undefined>(SLOTS).fill(undefined);
  const held = ordered.map(() => 0);
  let left = SLOTS;
  let extrasLeft = extras;
  const offer = (slot: number, index: number): void => {
    const isExtra = held[index]! >= least[index]!;
    if (table[slot] !== undefined || held[index]! >= most[index]! || (isExtra && extrasLeft === 0)) return;
    table[slot] = ordered[index]!.key;
    held[index]!++;
    left--;
    if (isExtra) extrasLeft--;
  };
  const indexes = new Map(ordered.map(({ key }, index) => [key, index]));
  for (const [slot, owner] of before.entries()) {
    const index = indexes.get(owner);
    if (index !== undefined) offer(slot, index);
  }
  if (left === 0) return table as readonly number[];
  const pairs = bestFirst(ordered);
  for (let i = 0; left > 0; i++) {
    const pair = pairs[i]!;
    offer(pair % SLOTS, Math.floor(pair / SLOTS));
  }
  return table as readonly number[];
}

interface Quotas {
  readonly least: readonly number[];
  /** At most one more than the least. */
  readonly most: readonly number[];
  /** How many slots remain when everybody has the least. */
  readonly extras: number;
}

function quotas(members: readonly SlotMember[]): Quotas {
  const minimum = members.length > SLOTS ? 0 : 1;
  const small = members.map(() => false);
  for (;;) {
    const others = members.filter((_, index) => !small[index]);
    const slots = SLOTS - (members.length - others.length);
    const total = others.reduce((sum, { weight }) => sum + weight, 0);
    const shares = members.map(({ weight }, index) => (small[index] ? 1 : (slots * weight) / total));
    const least = shares.map((share) => Math.max(minimum, Math.floor(share)));
    const most = shares.map((share) => Math.max(minimum, Math.ceil(share)));
    const extras = SLOTS - least.reduce((sum, count) => sum + count, 0);
    if (extras >= 0) return { least, most, extras };
    for (const [index, share] of shares.entries()) if (share < 1) small[index] = true;
  }
}

/** All pairs, as index of the member × SLOTS + slot, by the hash of both over the weight: lower fits better. */
function bestFirst(members: readonly SlotMember[]): Uint32Array {
  const scores = new Float32Array(members.length * SLOTS);
  let pair = 0;
  for (const { key, weight } of members)
    for (let slot = 0; slot < SLOTS; slot++) scores[pair++] = hash(key, slot) / weight;
  // A counting sort, as `sort` would take most of the time: floating point numbers of one sign are ordered like their bits.
  const bits = new Uint32Array(scores.buffer);
  const next = new Uint32Array((1 << (31 - IGNORED_BITS)) + 1);
  for (let i = 0; i < bits.length; i++) next[(bits[i]! >>> IGNORED_BITS) + 1]!++;
  for (let i = 1; i < next.length; i++) next[i]! += next[i - 1]!;
  const pairs = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) pairs[next[bits[i]! >>> IGNORED_BITS]!++] = i;
  return pairs;
}

/** Leaves 6 bits of the mantissa. Which of equally good pairs comes first does not matter if it is always the same one. */
const IGNORED_BITS = 17;

/** A 32-bit mix of two integers (murmur3's finaliser). */
function hash(a: number, b: number): number {
  let x = Math.imul(a, 0x9e3779b1) ^ Math.imul(b + 1, 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}
