import type { Command } from 'commander';
import type { BalancerJson } from '../api/resources.ts';
import type { Io } from './io.ts';
import type { Column, Row } from './render/table.ts';
import { resolve } from './resolve.ts';
import { type CommonOptions, enc, field, openSession, reads } from './session.ts';
import { COUNTERS } from './statistics.ts';
import { type ListOptions, listing, lists } from './watch.ts';

const COLUMNS: readonly Column[] = [
  ['LOAD BALANCER', 'loadbalancer'],
  ['HOST', 'host'],
  ['PLACEMENT', 'placement'],
  ['STATE', 'state'],
  ['SINCE', 'since'],
  ['ID', 'id'],
  ['MEMBERS', (item) => membersText(item as unknown as BalancerJson)],
  ['REASON', 'error'],
];

const LISTENER_COLUMNS: readonly Column[] = [
  ['LISTENER', 'name'],
  ['PROTOCOL', 'protocol'],
  ['PORT', 'protocol_port'],
  ...COUNTERS,
];

const MEMBER_COLUMNS: readonly Column[] = [
  ['MEMBER', 'name'],
  ['ADDRESS', 'address'],
  ['PORT', 'protocol_port'],
  ['HEALTH', 'health'],
  ...COUNTERS,
];

/** How many members it finds how, e.g. `3 ONLINE, 1 ERROR`. */
function membersText({ members }: BalancerJson): string {
  const found = new Map<string, number>();
  for (const { health } of members) if (health !== null) found.set(health, (found.get(health) ?? 0) + 1);
  return [...found].map(([health, count]) => `${count} ${health}`).join(', ');
}

/** `hostlb balancer …` */
export function addBalancerCommands(program: Command, io: Io): void {
  const balancer = program.command('balancer').description('balancers: the instances of load balancers on hosts');

  lists(balancer.command('list').description('list balancers'))
    .option('--host <host>', 'only those on this host')
    .option('--lb <load-balancer>', 'only those of this load balancer: name or id')
    .action((options: ListOptions & { host?: string; lb?: string }) =>
      listing(io, options, async (session) => {
        const query = new URLSearchParams();
        if (options.host !== undefined) query.set('host', options.host);
        if (options.lb !== undefined) query.set('loadbalancer_id', await resolve(session, 'load balancer', options.lb));
        await session.printList(field(await session.get(`/v1/balancers?${query}`), 'balancers'), COLUMNS);
      }),
    );

  reads(balancer.command('show').description('show a balancer'))
    .argument('<balancer>', 'id')
    .action(async (id: string, options: CommonOptions) => {
      const session = openSession(io, options);
      const shown = field<BalancerJson>(await session.get(`/v1/balancers/${enc(id)}`), 'balancer');
      if (options.output !== 'table') return session.printObject({ ...shown });
      const { listeners, members, ...balancer } = shown;
      await session.printObject(balancer);
      for (const [rows, columns] of [
        [listeners, LISTENER_COLUMNS],
        [members, MEMBER_COLUMNS],
      ] as const) {
        if (rows.length === 0) continue;
        io.stdout.write('\n');
        await session.printList(rows as unknown as readonly Row[], columns);
      }
    });
}
