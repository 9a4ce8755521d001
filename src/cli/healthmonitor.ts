import { type Command, Option } from 'commander';
import type { HealthMonitorJson } from '../api/resources.ts';
import { CAPABILITIES } from '../model/capabilities.ts';
import { LIMITS } from '../model/limits.ts';
import { MONITOR_TYPES, PLACEMENTS } from '../model/types.ts';
import { type Changes, requireChange, withChanges } from './changes.ts';
import type { Io } from './io.ts';
import type { Column, Row } from './render/table.ts';
import { resolve } from './resolve.ts';
import { type CommonOptions, field, openSession, reads, type Session, waits, whole, writes } from './session.ts';
import { type ListOptions, listing, lists } from './watch.ts';

const PATH = '/v2.0/lbaas/healthmonitors';

/** Those that some placement can ask by. */
const SERVED_TYPES = MONITOR_TYPES.filter((type) =>
  PLACEMENTS.some((placement) => CAPABILITIES[placement].healthmonitor.includes(type)),
);

const COLUMNS: readonly Column[] = [
  ['NAME', 'name'],
  ['ID', 'id'],
  ['TYPE', 'type'],
  ['DELAY', 'delay'],
  ['TIMEOUT', 'timeout'],
  ['RETRIES', (item) => `${item.max_retries} up, ${item.max_retries_down} down`],
  ['POOL', 'pools'],
  ['OPERATING', 'operating_status'],
];

/** What `create` and `set` say alike; `create` must say the first three. `timeout` is the monitor's, not that of `--wait`. */
interface Attributes {
  readonly delay?: number;
  readonly timeout?: number;
  readonly maxRetries?: number;
  readonly maxRetriesDown?: number;
  readonly httpMethod?: string;
  readonly urlPath?: string;
  readonly expectedCodes?: string;
  readonly httpVersion?: string;
  readonly domainName?: string;
}

interface CreateOptions extends CommonOptions, Attributes {
  readonly name?: string;
  readonly type: string;
  readonly disable?: boolean;
}

/** `hostlb healthmonitor …` */
export function addHealthMonitorCommands(program: Command, io: Io): void {
  const monitor = program
    .command('healthmonitor')
    .description('health monitors: which members of a pool are well enough to serve');

  withAttributes(waits(monitor.command('create').description('watch the members of a pool')), 'all')
    .argument('<pool>', 'name or id')
    .option('--name <name>', 'its name')
    .addOption(new Option('--type <type>', 'how members are asked').choices(SERVED_TYPES).makeOptionMandatory())
    .option('--disable', 'create it switched off')
    .addHelpText('after', EXAMPLE)
    .action(async (pool: string, options: CreateOptions) => {
      const session = open(io, options);
      const { name, type, disable } = options;
      const body = {
        ...{ name, type, admin_state_up: disable !== true, ...attributesOf(options) },
        pool_id: await resolve(session, 'pool', pool),
      };
      const reply = await session.write('POST', PATH, { healthmonitor: body });
      await printOne(session, field<HealthMonitorJson>(reply.body, 'healthmonitor').id);
    });

  lists(monitor.command('list').description('list health monitors'))
    .option('--pool <pool>', 'only that of this pool')
    .action((options: ListOptions & { pool?: string }) =>
      listing(io, options, async (session) => {
        const query = options.pool === undefined ? '' : `?pool_id=${await resolve(session, 'pool', options.pool)}`;
        await session.printList(await session.list(`${PATH}${query}`, 'healthmonitors'), COLUMNS);
      }),
    );

  reads(monitor.command('show').description('show a health monitor'))
    .argument('<health-monitor>', 'name or id')
    .action(async (name: string, options: CommonOptions) => {
      const session = openSession(io, options);
      await printOne(session, await resolve(session, 'health monitor', name));
    });

  const set = waits(monitor.command('set').description('change a health monitor'));
  withAttributes(withChanges(set, { described: false }), 'some')
    .argument('<health-monitor>', 'name or id')
    .action(async (name: string, options: CommonOptions & Changes & Attributes) => {
      const changes = requireChange(options, attributesOf(options));
      const session = open(io, options);
      const id = await resolve(session, 'health monitor', name);
      await session.write('PUT', `${PATH}/${id}`, { healthmonitor: changes });
      await printOne(session, id);
    });

  writes(monitor.command('delete').description('no longer watch the members of a pool'))
    .argument('<health-monitor>', 'name or id')
    .action(async (name: string, options: CommonOptions) => {
      const session = openSession(io, options);
      await session.write('DELETE', `${PATH}/${await resolve(session, 'health monitor', name)}`);
    });
}

const EXAMPLE = `
Example:
  hostlb healthmonitor create servers --type HTTP --url-path /health --delay 5 --timeout 2 --max-retries 3`;

function withAttributes(command: Command, needed: 'all' | 'some'): Command {
  const mandatory = (flags: string, description: string, most: number) =>
    new Option(flags, description).argParser(whole(1, most)).makeOptionMandatory(needed === 'all');
  return command
    .addOption(mandatory('--delay <seconds>', 'how often members are asked', LIMITS.maxMonitorSeconds))
    .addOption(mandatory('--timeout <seconds>', 'how long an answer may take', LIMITS.maxMonitorSeconds))
    .addOption(mandatory('--max-retries <count>', 'successes that bring a member up', LIMITS.maxMonitorRetries))
    .option(
      '--max-retries-down <count>',
      'failures that bring it down (default: 3)',
      whole(1, LIMITS.maxMonitorRetries),
    )
    .option('--http-method <method>', 'HTTP: what is asked (default: GET)')
    .option('--url-path <path>', 'HTTP: for what (default: /)')
    .option('--expected-codes <codes>', 'HTTP: good answers, as 200, 200,202 or 200-204 (default: 200)')
    .addOption(new Option('--http-version <version>', 'HTTP: version asked with').choices(['1.0', '1.1']))
    .option('--domain-name <name>', 'HTTP 1.1: the Host header');
}

function attributesOf(options: Attributes): Row {
  return {
    delay: options.delay,
    timeout: options.timeout,
    max_retries: options.maxRetries,
    max_retries_down: options.maxRetriesDown,
    http_method: options.httpMethod,
    url_path: options.urlPath,
    expected_codes: options.expectedCodes,
    http_version: options.httpVersion,
    domain_name: options.domainName,
  };
}

function open(io: Io, { timeout: _ofMonitor, ...options }: CommonOptions): Session {
  return openSession(io, options);
}

async function printOne(session: Session, id: string): Promise<void> {
  await session.printObject(field(await session.get(`${PATH}/${id}`), 'healthmonitor'));
}
