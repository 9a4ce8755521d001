import type { Command } from 'commander';
import type { PoolJson, StatisticsJson } from '../api/resources.ts';
import { LIMITS } from '../model/limits.ts';
import { type Changes, requireChange, withChanges } from './changes.ts';
import { type Io, UsageError } from './io.ts';
import type { Column, Row } from './render/table.ts';
import { resolve, resolveMember } from './resolve.ts';
import { type CommonOptions, field, openSession, reads, type Session, whole, writes } from './session.ts';
import { type ListOptions, listing, lists } from './watch.ts';

const COLUMNS: readonly Column[] = [
  ['NAME', 'name'],
  ['ID', 'id'],
  ['ADDRESS', 'address'],
  ['PORT', 'protocol_port'],
  ['WEIGHT', 'weight'],
  ['ENABLED', 'admin_state_up'],
  ['OPERATING', 'operating_status'],
];

/** What `create` and `set` say alike. */
interface Attributes {
  readonly weight?: number;
  readonly enableBackup?: boolean;
  readonly disableBackup?: boolean;
  readonly monitorAddress?: string | false;
  readonly monitorPort?: number | false;
}

interface CreateOptions extends CommonOptions, Attributes {
  readonly name?: string;
  readonly address: string;
  readonly port: number;
  readonly disable?: boolean;
}

/** A member as one host's balancer finds it. */
const HOST_COLUMNS: readonly Column[] = [
  ['NAME', 'name'],
  ['ADDRESS', 'address'],
  ['PORT', 'protocol_port'],
  ['HOST', 'host'],
  ['HEALTH', 'health'],
  ['ACTIVE', 'active_connections'],
  ['TOTAL', 'total_connections'],
  ['ID', 'id'],
];

/** `hostlb member …`: every command names the pool first. */
export function addMemberCommands(program: Command, io: Io): void {
  const member = program.command('member').description('members: the machines of a pool');

  withAttributes(writes(member.command('create').description('add a member to a pool')))
    .argument('<pool>', 'name or id')
    .option('--name <name>', 'its name')
    .requiredOption('--address <address>', 'its IP address')
    .requiredOption('--port <port>', 'its port', whole(1, 65535))
    .option('--disable', 'create it switched off')
    .addHelpText('after', '\nExample:\n  hostlb member create servers --name s1 --address 10.0.0.21 --port 80')
    .action(async (pool: string, options: CreateOptions) => {
      const session = openSession(io, options);
      const { name, address, port, disable } = options;
      const body = {
        ...{ name, address, protocol_port: port, admin_state_up: disable !== true },
        ...attributesOf(options),
      };
      const path = await membersPath(session, pool);
      const reply = await session.write('POST', path, { member: body });
      await printOne(session, `${path}/${field<{ id: string }>(reply.body, 'member').id}`);
    });

  lists(member.command('list').description('list the members of a pool'))
    .argument('<pool>', 'name or id')
    .option('--hosts', 'how each host finds them')
    .action((pool: string, options: ListOptions & { hosts?: boolean }) =>
      listing(io, options, async (session) => {
        if (options.hosts === true) {
          const id = await resolve(session, 'pool', pool);
          await session.printList(await membersByHost(session, id), HOST_COLUMNS);
        } else {
          await session.printList(await session.list(await membersPath(session, pool), 'members'), COLUMNS);
        }
      }),
    );

  reads(member.command('show').description('show a member'))
    .argument('<pool>', 'name or id')
    .argument('<member>', 'name or id')
    .action(async (pool: string, name: string, options: CommonOptions) => {
      const session = openSession(io, options);
      await printOne(session, await memberPath(session, pool, name));
    });

  withAttributes(withChanges(writes(member.command('set').description('change a member')), { described: false }))
    .argument('<pool>', 'name or id')
    .argument('<member>', 'name or id')
    .option('--no-monitor-address', 'ask at its own address')
    .option('--no-monitor-port', 'ask at its own port')
    .action(async (pool: string, name: string, options: CommonOptions & Changes & Attributes) => {
      const changes = requireChange(options, attributesOf(options));
      const session = openSession(io, options);
      const path = await memberPath(session, pool, name);
      await session.write('PUT', path, { member: changes });
      await printOne(session, path);
    });

  writes(member.command('delete').description('remove a member from a pool'))
    .argument('<pool>', 'name or id')
    .argument('<member>', 'name or id')
    .action(async (pool: string, name: string, options: CommonOptions) => {
      const session = openSession(io, options);
      await session.write('DELETE', await memberPath(session, pool, name));
    });
}

function withAttributes(command: Command): Command {
  return command
    .option('--weight <weight>', 'its share of new connections, 0 to 256; 0 = no new ones', whole(0, LIMITS.maxWeight))
    .option('--enable-backup', 'it gets connections only while no other member can')
    .option('--disable-backup', 'it gets connections like any other')
    .option('--monitor-address <address>', 'where its health is asked for')
    .option('--monitor-port <port>', 'port at which its health is asked for', whole(1, 65535));
}

function attributesOf(options: Attributes): Row {
  const { weight, enableBackup = false, disableBackup = false, monitorAddress, monitorPort } = options;
  if (enableBackup && disableBackup) throw new UsageError('--enable-backup and --disable-backup exclude each other');
  return {
    weight,
    backup: enableBackup ? true : disableBackup ? false : undefined,
    monitor_address: monitorAddress === false ? null : monitorAddress,
    monitor_port: monitorPort === false ? null : monitorPort,
  };
}

async function membersByHost(session: Session, poolId: string): Promise<readonly Row[]> {
  const pool = field<PoolJson>(await session.get(`/v2.0/lbaas/pools/${poolId}`), 'pool');
  const stats = field<StatisticsJson>(
    await session.get(`/v1/loadbalancers/${pool.loadbalancers[0]?.id}/stats`),
    'stats',
  );
  return stats.members
    .filter((member) => member.pool_id === poolId)
    .flatMap(({ id, name, address, protocol_port, hosts }) =>
      hosts.map((host) => ({ id, name, address, protocol_port, ...host })),
    );
}

async function membersPath(session: Session, pool: string): Promise<string> {
  return `/v2.0/lbaas/pools/${await resolve(session, 'pool', pool)}/members`;
}

async function memberPath(session: Session, pool: string, member: string): Promise<string> {
  const poolId = await resolve(session, 'pool', pool);
  return `/v2.0/lbaas/pools/${poolId}/members/${await resolveMember(session, poolId, member)}`;
}

async function printOne(session: Session, path: string): Promise<void> {
  await session.printObject(field(await session.get(path), 'member'));
}
