import type { Command } from 'commander';
import type { Io } from './io.ts';
import type { Column } from './render/table.ts';
import { type CommonOptions, enc, field, openSession, reads, type Session, whole, writes } from './session.ts';
import { type ListOptions, listing, lists } from './watch.ts';

const COLUMNS: readonly Column[] = [
  ['OWNER', 'owner'],
  ['VMS', 'vms'],
  ['USED', 'vms_used'],
];
const MOST_VMS = 1_000_000;

/** `hostlb quota …` */
export function addQuotaCommands(program: Command, io: Io): void {
  const quota = program.command('quota').description('how many VMs each owner may create');

  lists(quota.command('list').description('list quotas that were set or are used')).action((options: ListOptions) =>
    listing(io, options, async (session) => {
      await session.printList(field(await session.get('/v1/quotas'), 'quotas'), COLUMNS);
    }),
  );

  reads(quota.command('show').description('show the quota of an owner'))
    .argument('<owner>', 'tenant')
    .action(async (owner: string, options: CommonOptions) => printOne(openSession(io, options), owner));

  writes(quota.command('set').description('set the quota of an owner; VMs that are there stay'))
    .argument('<owner>', 'tenant')
    .requiredOption('--vms <number>', 'VMs that it may have; `default` for what owners have unless set', limit)
    .action(async (owner: string, { vms, ...options }: CommonOptions & { vms: Limit }) => {
      const session = openSession(io, options);
      await session.write('PUT', path(owner), { quota: { vms: vms === 'default' ? null : vms } });
      await printOne(session, owner);
    });
}

type Limit = number | 'default';
const limit = (text: string): Limit => (text === 'default' ? text : whole(0, MOST_VMS)(text));

const path = (owner: string): string => `/v1/quotas/${enc(owner)}`;

async function printOne(session: Session, owner: string): Promise<void> {
  await session.printObject(field(await session.get(path(owner)), 'quota'));
}
