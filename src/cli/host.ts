import type { Command } from 'commander';
import type { Io } from './io.ts';
import type { Column } from './render/table.ts';
import { type CommonOptions, enc, field, openSession, reads, type Session, writes } from './session.ts';
import { type ListOptions, listing, lists } from './watch.ts';

const COLUMNS: readonly Column[] = [
  ['NAME', 'name'],
  ['STATUS', 'status'],
  ['REMOTE', 'remote'],
  ['BRIDGE', 'bridge'],
  ['OVS', 'ovs_version'],
  ['APPLIED', 'applied'],
  ['PORTS', 'ports'],
  ['BALANCERS', 'balancers'],
  ['ERROR', 'error'],
];

/** `hostlb host …` */
export function addHostCommands(program: Command, io: Io): void {
  const host = program.command('host').description('hosts: machines with an Open vSwitch bridge');

  writes(host.command('add').description('register a host, or change its remote or bridge'))
    .argument('<name>', 'name of the host')
    .argument('<remote>', 'the OVSDB of its Open vSwitch, as OVS writes it: tcp:ADDR:PORT, ssl:ADDR:PORT or unix:PATH')
    .option('--bridge <bridge>', 'the bridge that its VMs plug into (default: br-int)')
    .addHelpText('after', '\nExample:\n  hostlb host add h1 tcp:192.0.2.11:6640')
    .action(async (name: string, remote: string, options: CommonOptions & { bridge?: string }) => {
      const session = openSession(io, options);
      await session.write('PUT', path(name), { host: { remote, bridge: options.bridge } });
      await printOne(session, name);
    });

  lists(host.command('list').description('list hosts')).action((options: ListOptions) =>
    listing(io, options, async (session) => {
      await session.printList(field(await session.get('/v1/hosts'), 'hosts'), COLUMNS);
    }),
  );

  reads(host.command('show').description('show a host'))
    .argument('<host>', 'name or id')
    .action(async (name: string, options: CommonOptions) => printOne(openSession(io, options), name));

  reads(host.command('take-over'))
    .description('keep a host that is kept for another state database, whose controller then lets go of it')
    .argument('<host>', 'name or id')
    .action(async (name: string, options: CommonOptions) => {
      const session = openSession(io, options);
      await session.client.request('POST', `${path(name)}/take-over`);
      await printOne(session, name);
    });

  writes(host.command('delete').description('forget a host'))
    .argument('<host>', 'name or id')
    .action(async (name: string, options: CommonOptions) => {
      await openSession(io, options).write('DELETE', path(name));
    });
}

function path(name: string): string {
  return `/v1/hosts/${enc(name)}`;
}

async function printOne(session: Session, name: string): Promise<void> {
  await session.printObject(field(await session.get(path(name)), 'host'));
}
