/**
 * The slot tables that the state database remembers, so that a change of a pool moves no more slots than it must, and a
 * change that is taken back restores what was. Of each pool and family there are two: the one that was dealt last and the
 * one before it, each with the members that it was dealt for.
 */
import { type Family, familyOf } from '../model/addresses.ts';
import type { LoadBalancer, Pool } from '../model/types.ts';
import { SLOTS, type SlotMember, slotTable } from './slots.ts';

/** As in the state database: by pool, family and `now` or `before`. */
export type RememberedSlots = Readonly<Record<string, string>>;

/** The table of a pool all of whose members serve, wherever they are; backups have no part in it. */
export function fullTable(pool: Pool, family: Family, remembered: RememberedSlots): readonly number[] {
  const members = membersOf(pool, family);
  return tableOf(members, print(members), knownOf(pool, family, remembered));
}

/** What is remembered of the members as printed; else the table before, dealt anew. */
function tableOf(members: readonly SlotMember[], printed: string, known: readonly Known[]): readonly number[] {
  return known.find((one) => one.members === printed)?.table ?? slotTable(members, known[0]!.table);
}

/**
 * What to remember of a load balancer, given what is. To remember it changes no table: for the same members it comes out
 * the same.
 */
export function rememberSlots({ pools, vips }: LoadBalancer, remembered: RememberedSlots): RememberedSlots {
  const records = pools.flatMap((pool) =>
    [...new Set(vips.map(familyOf))].flatMap((family) => {
      const [now, before] = WHENS.map((when) => nameOf(pool, family, when)) as [string, string];
      const members = membersOf(pool, family);
      const printed = print(members);
      const known = knownOf(pool, family, remembered);
      const text = `${printed};${tableOf(members, printed, known).map(toWord).join(' ')}`;
      return [[now, text] as const, [before, remembered[known[0]!.members === printed ? before : now]] as const];
    }),
  );
  return Object.fromEntries(records.filter((record): record is [string, string] => record[1] !== undefined));
}

const WHENS = ['now', 'before'] as const;

/** Of whom a table is that is remembered; undefined: of nobody, as there is none. */
interface Known {
  readonly members: string | undefined;
  readonly table: readonly number[];
}

const knownOf = (pool: Pool, family: Family, remembered: RememberedSlots): readonly Known[] =>
  WHENS.map((when) => parse(remembered[nameOf(pool, family, when)]));

const nameOf = ({ id }: Pool, family: Family, when: (typeof WHENS)[number]): string => `${id} ${family} ${when}`;

function membersOf({ members }: Pool, family: Family): readonly SlotMember[] {
  return members
    .filter(({ address, weight, backup }) => familyOf(address) === family && weight > 0 && !backup)
    .map(({ key, weight }) => ({ key, weight }));
}

const toWord = (key: number): string => key.toString(36);

const print = (members: readonly SlotMember[]): string =>
  [...members]
    .sort((a, b) => a.key - b.key)
    .map(({ key, weight }) => `${toWord(key)}*${weight}`)
    .join(' ');

/** A text that is none of these is of no members, and no table. */
function parse(text = ''): Known {
  const [members, slots = ''] = text.split(';');
  const table = slots === '' ? [] : slots.split(' ').map((word) => Number.parseInt(word, 36));
  const isSound =
    (table.length === SLOTS || (table.length === 0 && members === '')) && table.every(Number.isSafeInteger);
  return isSound && text !== '' ? { members, table } : { members: undefined, table: [] };
}
