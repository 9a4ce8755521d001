import type { Command } from 'commander';
import type { QuotaJson } from '../api/resources.ts';
import { QUOTA_KINDS, type QuotaKind } from '../model/types.ts';
import { type Io, UsageError } from './io.ts';
import type { Column } from './render/table.ts';
import { type CommonOptions, enc, field, openSession, reads, type Session, whole, writes } from './session.ts';
import { type ListOptions, listing, lists } from './watch.ts';

const QUOTAS = '/v2.0/lbaas/quotas';
const MOST = 2_000_000_000;

/** What the options and columns of each kind are called. */
const WORDS: Readonly<Record<QuotaKind, string>> = {
  load_balancer: 'lbs',
  listener: 'listeners',
  pool: 'pools',
  member: 'members',
  health_monitor: 'healthmonitors',
  l7policy: 'l7policies',
  l7rule: 'l7rules',
  virtual_machine: 'vms',
};

/** How many there are, and of how many; other APIs do not tell the first. */
const cell =
  (kind: QuotaKind) =>
  (quota: object): string => {
    const { [kind]: limit, used } = quota as Partial<QuotaJson>;
    const most = limit === undefined || limit < 0 ? '-' : String(limit);
    return used === undefined ? most : `${used[kind]}/${most}`;
  };

const COLUMNS: readonly Column[] = [
  ['OWNER', 'project_id'],
  ...QUOTA_KINDS.map((kind): Column => [WORDS[kind].toUpperCase(), cell(kind)]),
];

/** `hostlb quota …` */
export function addQuotaCommands(program: Command, io: Io): void {
  const quota = program.command('quota').description('how much each owner may have');

  lists(quota.command('list').description('list quotas that were set or are used, as USED/ALLOWED')).action(
    (options: ListOptions) =>
      listing(io, options, async (session) => {
        await session.printList(field(await session.get(QUOTAS), 'quotas'), COLUMNS);
      }),
  );

  reads(quota.command('show').description('show the quota of an owner; -1: any number'))
    .argument('<owner>', 'tenant')
    .action(async (owner: string, options: CommonOptions) => printOne(openSession(io, options), owner));

  const set = writes(quota.command('set').description('set the quota of an owner; what it has stays')).argument(
    '<owner>',
    'tenant',
  );
  for (const kind of QUOTA_KINDS) {
    const what = kind === 'virtual_machine' ? 'VMs' : `${kind.replaceAll('_', ' ').replace(/y$/, 'ie')}s`;
    set.option(
      `--${WORDS[kind]} <number>`,
      `${what} that it may have; -1: any number, \`default\` for what owners have unless set`,
      limit,
    );
  }
  set.action(async (owner: string, options: CommonOptions & Readonly<Record<string, Limit>>) => {
    const given = QUOTA_KINDS.flatMap((kind) => {
      const value = options[WORDS[kind]];
      return value === undefined ? [] : [[kind, value === 'default' ? null : value]];
    });
    if (given.length === 0) throw new UsageError('nothing to change: give at least one option, see --help');
    const session = openSession(io, options);
    await session.write('PUT', path(owner), { quota: Object.fromEntries(given) });
    await printOne(session, owner);
  });
}

type Limit = number | 'default' | undefined;
const limit = (text: string): Limit => (text === 'default' ? text : whole(-1, MOST)(text));

const path = (owner: string): string => `${QUOTAS}/${enc(owner)}`;

async function printOne(session: Session, owner: string): Promise<void> {
  await session.printObject(field(await session.get(path(owner)), 'quota'));
}
