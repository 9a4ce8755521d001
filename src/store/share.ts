/** Structural sharing: a value that did not change stays the same object. */

/**
 * `previous` if `next` equals it, else `next`. Compares one level, and arrays of values within it, by identity: so
 * build from the leaves upwards, sharing at each level. Both must be plain objects of the same kind.
 */
export function share<T extends object>(previous: T | undefined, next: T): T {
  if (previous === undefined) return next;
  const keys = Object.keys(next) as (keyof T)[];
  if (Object.keys(previous).length !== keys.length) return next;
  return keys.every((key) => same(previous[key], next[key])) ? previous : next;
}

/** `previous` if it has the same elements in the same order, else `next`. */
export function shareList<T>(previous: readonly T[] | undefined, next: readonly T[]): readonly T[] {
  return previous !== undefined && same(previous, next) ? previous : next;
}

/** `previous` if it has the same values at the same keys, else `next`. */
export function shareMap<K, V>(previous: ReadonlyMap<K, V>, next: ReadonlyMap<K, V>): ReadonlyMap<K, V> {
  const isSame = previous.size === next.size && [...next].every(([key, value]) => previous.get(key) === value);
  return isSame ? previous : next;
}

function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((element, i) => element === b[i]);
}
