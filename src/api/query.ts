/** What Octavia's lists can do: filter by any simple attribute, `fields`, `sort`, `limit` and `marker`. */
import type { z } from 'zod';
import { ApiError } from './errors.ts';
import { plainAttributes } from './resources/kinds.ts';
import type { Answer, Call } from './route.ts';

type Item = Readonly<Record<string, unknown>> & { readonly id: string };

export interface ListOptions {
  /** Root key of the answer, e.g. `loadbalancers`. */
  readonly plural: string;
  /** Filters on what the object refers to; each tells whether the item (by id) matches. */
  readonly references?: Readonly<Record<string, (item: Item, value: string) => boolean>> | undefined;
  /** What the items are; lists are filtered and sorted by its plain attributes. */
  readonly of: z.ZodObject;
  /** Attributes that lists are ordered by when the query does not say; age, then name, unless given. */
  readonly order?: readonly string[] | undefined;
}

/** Filters on tags, each a list: whether the item's tags and the wanted ones match. */
const TAG_FILTERS: Readonly<Record<string, (has: (tag: string) => boolean, wanted: readonly string[]) => boolean>> = {
  tags: (has, wanted) => wanted.every(has),
  'tags-any': (has, wanted) => wanted.some(has),
  'not-tags': (has, wanted) => !wanted.every(has),
  'not-tags-any': (has, wanted) => !wanted.some(has),
};

const CONTROLS = new Set(['fields', 'limit', 'marker', 'page_reverse', 'sort', 'sort_key', 'sort_dir']);

/** A page of the items as the request's query asks. Throws ApiError 400 for a query that makes no sense. */
export function listAnswer<T extends { readonly id: string }>(
  call: Call,
  all: readonly T[],
  options: ListOptions,
): Answer {
  const items = sorted(filtered(all as unknown as readonly Item[], call.query, options), call.query, options);
  const { page, links } = paged(items, call);
  return {
    body: { [options.plural]: page.map((item) => project(item, call.query)), [`${options.plural}_links`]: links },
  };
}

/** The object under its root key, reduced to the wanted `fields`. */
export function showAnswer(call: Call, root: string, value: object): Answer {
  return { body: { [root]: project(value as Item, call.query) } };
}

function project(item: Item, query: URLSearchParams): object {
  const wanted = query.getAll('fields').flatMap((field) => field.split(','));
  if (wanted.length === 0) return item;
  return Object.fromEntries(Object.entries(item).filter(([key]) => wanted.includes(key)));
}

function filtered(items: readonly Item[], query: URLSearchParams, options: ListOptions): readonly Item[] {
  let left = items;
  for (const key of new Set(query.keys())) {
    if (CONTROLS.has(key)) continue;
    const values = query.getAll(key);
    const byTags = Object.hasOwn(TAG_FILTERS, key) ? TAG_FILTERS[key] : undefined;
    if (byTags !== undefined) {
      const wanted = values.flatMap((value) => value.split(','));
      left = left.filter(({ tags }) => byTags((tag) => Array.isArray(tags) && tags.includes(tag), wanted));
      continue;
    }
    const refers = Object.hasOwn(options.references ?? {}, key) ? options.references![key] : undefined;
    if (refers === undefined && !plainAttributes(options.of).includes(key)) {
      throw new ApiError(400, 'One or more arguments are either duplicate or invalid');
    }
    left = left.filter((item) => values.some((value) => refers?.(item, value) ?? same(item[key], value)));
  }
  return left;
}

function same(attribute: unknown, value: string): boolean {
  if (typeof attribute === 'boolean') return String(attribute) === value.toLowerCase();
  if (attribute === null || attribute === undefined) return value === '' || value === 'None';
  return typeof attribute !== 'object' && String(attribute) === value;
}

function sorted(items: readonly Item[], query: URLSearchParams, options: ListOptions): readonly Item[] {
  const keys = [
    ...query.getAll('sort').flatMap((sort) => sort.split(',')),
    ...query.getAll('sort_key').map((key, i) => `${key}:${query.getAll('sort_dir')[i] ?? 'asc'}`),
  ].map((sort) => {
    const [key = '', direction = 'asc'] = sort.split(':');
    if (!plainAttributes(options.of).includes(key)) throw new ApiError(400, `Supplied sort key '${key}' is not valid.`);
    if (direction !== 'asc' && direction !== 'desc') {
      throw new ApiError(400, `Supplied sort direction '${direction}' is not valid.`);
    }
    return { key, sign: direction === 'asc' ? 1 : -1 };
  });
  const order = [...keys, ...[...(options.order ?? ['created_at', 'name']), 'id'].map((key) => ({ key, sign: 1 }))];
  return [...items].sort((a, b) => {
    for (const { key, sign } of order) {
      const difference = compare(a[key], b[key]);
      if (difference !== 0) return sign * difference;
    }
    return 0;
  });
}

function compare(a: unknown, b: unknown): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  const [left, right] = [String(a ?? ''), String(b ?? '')];
  return left < right ? -1 : left > right ? 1 : 0;
}

interface Link {
  readonly rel: 'next' | 'previous';
  readonly href: string;
}

function paged(
  items: readonly Item[],
  call: Call,
): { readonly page: readonly Item[]; readonly links: readonly Link[] } {
  const { query } = call;
  const limit = readLimit(query.get('limit'));
  const marker = query.get('marker');
  const at = marker === null ? undefined : items.findIndex((item) => item.id === marker);
  if (at === -1) throw new ApiError(400, 'Supplied pagination marker is not valid.');
  const backwards = query.get('page_reverse')?.toLowerCase() === 'true';
  const end = backwards ? (at ?? items.length) : items.length;
  const first = backwards ? Math.max(0, end - limit) : (at ?? -1) + 1;
  const page = items.slice(first, Math.min(end, first + limit));
  const links: Link[] = [];
  if (page.length > 0 && Number.isFinite(limit)) {
    if (first + page.length < items.length) links.push(link(call, 'next', page.at(-1)!.id));
    if (first > 0) links.push(link(call, 'previous', page[0]!.id));
  }
  return { page, links };
}

function readLimit(text: string | null): number {
  if (text === null) return Number.POSITIVE_INFINITY;
  if (!/^\d{1,9}$/.test(text))
    throw new ApiError(400, `Supplied pagination limit '${text.slice(0, 40)}' is not valid.`);
  return Number(text) === 0 ? Number.POSITIVE_INFINITY : Number(text);
}

function link(call: Call, rel: Link['rel'], marker: string): Link {
  const query = new URLSearchParams(call.query);
  query.set('marker', marker);
  if (rel === 'previous') query.set('page_reverse', 'True');
  else query.delete('page_reverse');
  return { rel, href: `${call.origin}${call.path}?${query}` };
}
