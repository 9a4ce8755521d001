import { type Command, Option } from 'commander';
import type { ListenerJson } from '../api/resources.ts';
import { LIMITS } from '../model/limits.ts';
import { LISTENER_PROTOCOLS } from '../model/types.ts';
import { type Changes, requireChange, withChanges } from './changes.ts';
import type { Io } from './io.ts';
import type { Column, Row } from './render/table.ts';
import { resolve } from './resolve.ts';
import {
  type CommonOptions,
  collect,
  field,
  openSession,
  pairs,
  reads,
  type Session,
  whole,
  writes,
} from './session.ts';
import { printListenerStatistics } from './statistics.ts';
import { type ListOptions, listing, lists } from './watch.ts';

const PATH = '/v2.0/lbaas/listeners';

const COLUMNS: readonly Column[] = [
  ['NAME', 'name'],
  ['ID', 'id'],
  ['PROTOCOL', 'protocol'],
  ['PORT', 'protocol_port'],
  ['LOAD BALANCER', 'loadbalancers'],
  ['DEFAULT POOL', 'default_pool_id'],
  ['OPERATING', 'operating_status'],
];

/** What `create` and `set` say alike. */
interface Attributes {
  readonly connectionLimit?: number;
  readonly insertHeaders?: Readonly<Record<string, string>> | false;
  readonly timeoutClientData?: number;
  readonly timeoutMemberConnect?: number;
  readonly timeoutMemberData?: number;
  readonly timeoutTcpInspect?: number;
  readonly allowedCidr?: readonly string[] | false;
}

interface CreateOptions extends CommonOptions, Attributes {
  readonly name?: string;
  readonly description?: string;
  readonly protocol: string;
  readonly port: number;
  readonly defaultPool?: string;
  readonly disable?: boolean;
}

/** `hostlb listener …` */
export function addListenerCommands(program: Command, io: Io): void {
  const listener = program.command('listener').description('listeners: a protocol and port of a load balancer');

  withAttributes(writes(listener.command('create').description('create a listener')))
    .argument('<load-balancer>', 'name or id')
    .option('--name <name>', 'its name')
    .addOption(new Option('--protocol <protocol>', 'what it listens for').choices(LISTENER_PROTOCOLS).default('TCP'))
    .requiredOption('--port <port>', 'port of the VIP', whole(1, 65535))
    .option('--default-pool <pool>', 'name or id of the pool that serves it')
    .option('--description <text>', 'what it is for')
    .option('--disable', 'create it switched off')
    .addHelpText('after', '\nExample:\n  hostlb listener create web --name http --protocol TCP --port 80')
    .action(async (loadBalancer: string, options: CreateOptions) => {
      const session = openSession(io, options);
      const { name, description, protocol, port, defaultPool, disable } = options;
      const body = {
        ...{ name, description, protocol, protocol_port: port, admin_state_up: disable !== true },
        ...attributesOf(options),
        loadbalancer_id: await resolve(session, 'load balancer', loadBalancer),
        default_pool_id: defaultPool === undefined ? undefined : await resolve(session, 'pool', defaultPool),
      };
      const reply = await session.write('POST', PATH, { listener: body });
      await printOne(session, field<ListenerJson>(reply.body, 'listener').id);
    });

  lists(listener.command('list').description('list listeners'))
    .option('--lb <load-balancer>', 'only those of this load balancer')
    .action((options: ListOptions & { lb?: string }) =>
      listing(io, options, async (session) => {
        const query =
          options.lb === undefined ? '' : `?loadbalancer_id=${await resolve(session, 'load balancer', options.lb)}`;
        await session.printList(await session.list(`${PATH}${query}`, 'listeners'), COLUMNS);
      }),
    );

  reads(listener.command('show').description('show a listener'))
    .argument('<listener>', 'name or id')
    .action(async (name: string, options: CommonOptions) => {
      const session = openSession(io, options);
      await printOne(session, await resolve(session, 'listener', name));
    });

  withAttributes(withChanges(writes(listener.command('set').description('change a listener'))))
    .argument('<listener>', 'name or id')
    .option('--default-pool <pool>', 'name or id of the pool that serves it')
    .option('--no-default-pool', 'let no pool serve it')
    .option('--no-insert-headers', 'insert none')
    .option('--no-allowed-cidr', 'let every client connect')
    .action(async (name: string, options: CommonOptions & Changes & Attributes & { defaultPool?: string | false }) => {
      const { defaultPool } = options;
      const attributes = attributesOf(options);
      requireChange(options, { default_pool_id: defaultPool, ...attributes });
      const session = openSession(io, options);
      const id = await resolve(session, 'listener', name);
      const pool = typeof defaultPool === 'string' ? await resolve(session, 'pool', defaultPool) : defaultPool;
      const changes = requireChange(options, { default_pool_id: pool === false ? null : pool, ...attributes });
      await session.write('PUT', `${PATH}/${id}`, { listener: changes });
      await printOne(session, id);
    });

  reads(listener.command('stats').description('what its balancers counted'))
    .argument('<listener>', 'name or id')
    .option('--hosts', 'host by host')
    .action(async (name: string, options: CommonOptions & { hosts?: boolean }) => {
      const session = openSession(io, options);
      await printListenerStatistics(session, await resolve(session, 'listener', name), options);
    });

  writes(listener.command('delete').description('delete a listener; its pool stays'))
    .argument('<listener>', 'name or id')
    .action(async (name: string, options: CommonOptions) => {
      const session = openSession(io, options);
      await session.write('DELETE', `${PATH}/${await resolve(session, 'listener', name)}`);
    });
}

function withAttributes(command: Command): Command {
  const ms = whole(0, LIMITS.maxTimeoutMs);
  return command
    .option('--connection-limit <limit>', 'concurrent connections on each host; -1 = no limit', whole(-1, 2 ** 31 - 1))
    .option('--insert-headers <header=value,...>', 'request headers to set, e.g. X-Forwarded-For=true', pairs)
    .option('--timeout-client-data <ms>', 'how long a client may be silent', ms)
    .option('--timeout-member-connect <ms>', 'how long a connection to a member may take', ms)
    .option('--timeout-member-data <ms>', 'how long a member may be silent', ms)
    .option('--timeout-tcp-inspect <ms>', 'how long to wait for more of what is inspected', ms)
    .option('--allowed-cidr <cidr>', 'clients that may connect; may be given again', collect);
}

function attributesOf(options: Attributes): Row {
  const { insertHeaders, allowedCidr } = options;
  return {
    connection_limit: options.connectionLimit,
    insert_headers: insertHeaders === false ? null : insertHeaders,
    timeout_client_data: options.timeoutClientData,
    timeout_member_connect: options.timeoutMemberConnect,
    timeout_member_data: options.timeoutMemberData,
    timeout_tcp_inspect: options.timeoutTcpInspect,
    allowed_cidrs: allowedCidr === false ? null : allowedCidr,
  };
}

async function printOne(session: Session, id: string): Promise<void> {
  await session.printObject(field(await session.get(`${PATH}/${id}`), 'listener'));
}
