import { type Command, Option } from 'commander';
import type { PoolJson } from '../api/resources.ts';
import { LIMITS } from '../model/limits.ts';
import { ALGORITHMS, LOCALITIES, PERSISTENCE_TYPES, POOL_PROTOCOLS, WHEN_EMPTY } from '../model/types.ts';
import { type Changes, requireChange, withChanges } from './changes.ts';
import { type Io, UsageError } from './io.ts';
import type { Column, Row } from './render/table.ts';
import { resolve } from './resolve.ts';
import { type CommonOptions, field, openSession, pairs, reads, type Session, whole, writes } from './session.ts';
import { type ListOptions, listing, lists } from './watch.ts';

const PATH = '/v2.0/lbaas/pools';

const COLUMNS: readonly Column[] = [
  ['NAME', 'name'],
  ['ID', 'id'],
  ['ALGORITHM', 'lb_algorithm'],
  ['PROTOCOL', 'protocol'],
  ['MEMBERS', (item) => (item as unknown as PoolJson).members.length],
  ['LOAD BALANCER', 'loadbalancers'],
  ['OPERATING', 'operating_status'],
];

/** What `create` and `set` say alike. */
interface Attributes {
  readonly sessionPersistence?: Readonly<Record<string, string>> | false;
  readonly locality?: string;
  readonly localityFactor?: number;
  readonly slowStart?: number;
  readonly whenEmpty?: string;
}

interface CreateOptions extends CommonOptions, Attributes {
  readonly lb?: string;
  readonly listener?: string;
  readonly name?: string;
  readonly description?: string;
  readonly algorithm: string;
  readonly protocol: string;
  readonly disable?: boolean;
}

const algorithmOption = () => new Option('--algorithm <algorithm>', 'how members are chosen').choices(ALGORITHMS);

/** `hostlb pool …` */
export function addPoolCommands(program: Command, io: Io): void {
  const pool = program.command('pool').description('pools: members and how they are chosen');

  withAttributes(writes(pool.command('create').description('create a pool')))
    .option('--lb <load-balancer>', 'load balancer that it belongs to: name or id')
    .option('--listener <listener>', 'listener that it serves: name or id')
    .option('--name <name>', 'its name')
    .addOption(algorithmOption().makeOptionMandatory())
    .addOption(new Option('--protocol <protocol>', 'what its members speak').choices(POOL_PROTOCOLS).default('TCP'))
    .option('--description <text>', 'what it is for')
    .option('--disable', 'create it switched off')
    .addHelpText(
      'after',
      '\nExample:\n  hostlb pool create --listener http --name servers --algorithm SOURCE_IP_PORT\n' +
        '  hostlb pool create --listener shop --algorithm ROUND_ROBIN --protocol HTTP \\\n' +
        '    --session-persistence type=APP_COOKIE,cookie_name=sid --locality prefer',
    )
    .action(async (options: CreateOptions) => {
      const { lb, listener, name, description, algorithm, protocol, disable } = options;
      if ((lb === undefined) === (listener === undefined)) throw new UsageError('give either --lb or --listener');
      const session = openSession(io, options);
      const body = {
        ...{ name, description, lb_algorithm: algorithm, protocol, admin_state_up: disable !== true },
        ...attributesOf(options),
        loadbalancer_id: lb === undefined ? undefined : await resolve(session, 'load balancer', lb),
        listener_id: listener === undefined ? undefined : await resolve(session, 'listener', listener),
      };
      const reply = await session.write('POST', PATH, { pool: body });
      await printOne(session, field<PoolJson>(reply.body, 'pool').id);
    });

  lists(pool.command('list').description('list pools'))
    .option('--lb <load-balancer>', 'only those of this load balancer')
    .action((options: ListOptions & { lb?: string }) =>
      listing(io, options, async (session) => {
        const query =
          options.lb === undefined ? '' : `?loadbalancer_id=${await resolve(session, 'load balancer', options.lb)}`;
        await session.printList(await session.list(`${PATH}${query}`, 'pools'), COLUMNS);
      }),
    );

  reads(pool.command('show').description('show a pool'))
    .argument('<pool>', 'name or id')
    .action(async (name: string, options: CommonOptions) => {
      const session = openSession(io, options);
      await printOne(session, await resolve(session, 'pool', name));
    });

  withAttributes(withChanges(writes(pool.command('set').description('change a pool'))))
    .argument('<pool>', 'name or id')
    .addOption(algorithmOption())
    .option('--no-session-persistence', 'let each connection go to any member')
    .action(async (name: string, options: CommonOptions & Changes & Attributes & { algorithm?: string }) => {
      const changes = requireChange(options, { lb_algorithm: options.algorithm, ...attributesOf(options) });
      const session = openSession(io, options);
      const id = await resolve(session, 'pool', name);
      await session.write('PUT', `${PATH}/${id}`, { pool: changes });
      await printOne(session, id);
    });

  writes(pool.command('delete').description('delete a pool with its members'))
    .argument('<pool>', 'name or id')
    .action(async (name: string, options: CommonOptions) => {
      const session = openSession(io, options);
      await session.write('DELETE', `${PATH}/${await resolve(session, 'pool', name)}`);
    });
}

function withAttributes(command: Command): Command {
  return command
    .option(
      '--session-persistence <key=value,...>',
      `one client, one member: type=${PERSISTENCE_TYPES.join('|')}, cookie_name=NAME, persistence_timeout=SECONDS, persistence_granularity=NETMASK`,
      pairs,
    )
    .addOption(
      new Option('--locality <locality>', "whether members on the client's host come first").choices(LOCALITIES),
    )
    .option(
      '--locality-factor <factor>',
      'with prefer: how often more they are chosen',
      whole(1, LIMITS.maxLocalityFactor),
    )
    .option(
      '--slow-start <seconds>',
      'how long a member that comes back gets its share little by little',
      whole(0, LIMITS.maxSlowStartSeconds),
    )
    .addOption(
      new Option('--when-empty <action>', 'what new connections get while no member can serve').choices(WHEN_EMPTY),
    );
}

function attributesOf({ sessionPersistence, locality, localityFactor, slowStart, whenEmpty }: Attributes): Row {
  return {
    session_persistence: sessionPersistence === false ? null : sessionPersistence,
    ...{ locality, locality_factor: localityFactor, slow_start: slowStart, when_empty: whenEmpty },
  };
}

async function printOne(session: Session, id: string): Promise<void> {
  await session.printObject(field(await session.get(`${PATH}/${id}`), 'pool'));
}
