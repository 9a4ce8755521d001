/**
 * The tables of the pipeline, in the order that packets take. Table 0 belongs to the bridge's owner as well; the rest
 * start high so that other users of the bridge keep the low numbers. flows/ has one file per table.
 */
export const TABLES = {
  ingress: 0,
  guard: 100,
  vip: 101,
  scope: 102,
  answer: 103,
  service: 104,
  hairpin_reply: 105,
  select: 106,
  commit: 107,
  deliver: 108,
  hairpin: 109,
  sandbox: 110,
  reply: 111,
  answer_nd: 112,
  local: 113,
  recall: 114,
  unnat: 115,
  sandbox_reply: 116,
  output: 117,
  arrive: 118,
  depart: 119,
  choose: 120,
  slots: 121,
  count: 122,
  known: 123,
  returned: 124,
  reject: 125,
  sessions: 126,
  note: 127,
} as const;

export type TableName = keyof typeof TABLES;

/** Tables that are ours alone and may be named in the switch. */
export const OWN_TABLES: readonly (readonly [TableName, number])[] = (
  Object.entries(TABLES) as [TableName, number][]
).filter(([, id]) => id !== TABLES.ingress);
