import { type Command, Option } from 'commander';
import type { L7PolicyJson } from '../api/resources.ts';
import { L7_ACTIONS, REDIRECT_HTTP_CODES } from '../model/l7.ts';
import { LIMITS } from '../model/limits.ts';
import { type Changes, requireChange, withChanges } from './changes.ts';
import type { Io } from './io.ts';
import type { Column, Row } from './render/table.ts';
import { resolve } from './resolve.ts';
import { type CommonOptions, field, openSession, reads, type Session, whole, writes } from './session.ts';
import { type ListOptions, listing, lists } from './watch.ts';

const PATH = '/v2.0/lbaas/l7policies';

const COLUMNS: readonly Column[] = [
  ['NAME', 'name'],
  ['ID', 'id'],
  ['LISTENER', 'listener_id'],
  ['POSITION', 'position'],
  ['ACTION', 'action'],
  ['TO', (item) => item.redirect_pool_id ?? item.redirect_url ?? item.redirect_prefix],
  ['RULES', (item) => (item.rules as L7PolicyJson['rules']).length],
  ['OPERATING', 'operating_status'],
];

/** What `create` and `set` say alike. */
interface Attributes {
  readonly action?: string;
  readonly redirectPool?: string;
  readonly redirectUrl?: string;
  readonly redirectPrefix?: string;
  readonly redirectHttpCode?: string;
  readonly position?: number;
}

interface CreateOptions extends CommonOptions, Attributes {
  readonly name?: string;
  readonly description?: string;
  readonly disable?: boolean;
}

/** `hostlb l7policy …` */
export function addL7PolicyCommands(program: Command, io: Io): void {
  const policy = program
    .command('l7policy')
    .description('L7 policies: what becomes of requests to a listener that match their rules');

  withAttributes(writes(policy.command('create').description('create an L7 policy')), 'needed')
    .argument('<listener>', 'name or id')
    .option('--name <name>', 'its name')
    .option('--description <text>', 'what it is for')
    .option('--disable', 'create it switched off')
    .addHelpText('after', EXAMPLE)
    .action(async (listener: string, options: CreateOptions) => {
      const session = openSession(io, options);
      const { name, description, disable } = options;
      const body = {
        ...{ name, description, admin_state_up: disable !== true, ...attributesOf(options) },
        ...(await redirectPool(session, options)),
        listener_id: await resolve(session, 'listener', listener),
      };
      const reply = await session.write('POST', PATH, { l7policy: body });
      await printOne(session, field<L7PolicyJson>(reply.body, 'l7policy').id);
    });

  lists(policy.command('list').description('list L7 policies'))
    .option('--listener <listener>', 'only those of this listener')
    .action((options: ListOptions & { listener?: string }) =>
      listing(io, options, async (session) => {
        const { listener } = options;
        const query = listener === undefined ? '' : `?listener_id=${await resolve(session, 'listener', listener)}`;
        const policies = await session.list<L7PolicyJson>(`${PATH}${query}`, 'l7policies');
        const ordered = policies.toSorted(
          (a, b) => a.listener_id.localeCompare(b.listener_id) || a.position - b.position,
        );
        await session.printList(ordered, COLUMNS);
      }),
    );

  reads(policy.command('show').description('show an L7 policy'))
    .argument('<l7-policy>', 'name or id')
    .action(async (name: string, options: CommonOptions) => {
      const session = openSession(io, options);
      await printOne(session, await resolve(session, 'L7 policy', name));
    });

  withAttributes(withChanges(writes(policy.command('set').description('change an L7 policy'))))
    .argument('<l7-policy>', 'name or id')
    .action(async (name: string, options: CommonOptions & Changes & Attributes) => {
      const attributes = attributesOf(options);
      requireChange(options, { ...attributes, redirect_pool_id: options.redirectPool });
      const session = openSession(io, options);
      const id = await resolve(session, 'L7 policy', name);
      const changes = requireChange(options, { ...attributes, ...(await redirectPool(session, options)) });
      await session.write('PUT', `${PATH}/${id}`, { l7policy: changes });
      await printOne(session, id);
    });

  writes(policy.command('delete').description('delete an L7 policy with its rules'))
    .argument('<l7-policy>', 'name or id')
    .action(async (name: string, options: CommonOptions) => {
      const session = openSession(io, options);
      await session.write('DELETE', `${PATH}/${await resolve(session, 'L7 policy', name)}`);
    });
}

const EXAMPLE = `
Example:
  hostlb l7policy create http --name images --action REDIRECT_TO_POOL --redirect-pool images
  hostlb l7rule create images --type PATH --compare-type STARTS_WITH --value /images`;

function withAttributes(command: Command, action: 'needed' | 'optional' = 'optional'): Command {
  const choices = new Option('--action <action>', 'what becomes of requests that match').choices(L7_ACTIONS);
  return command
    .addOption(choices.makeOptionMandatory(action === 'needed'))
    .option('--redirect-pool <pool>', 'REDIRECT_TO_POOL: name or id of the pool that gets them')
    .option('--redirect-url <url>', 'REDIRECT_TO_URL: where clients are sent')
    .option('--redirect-prefix <url>', 'REDIRECT_PREFIX: what path and query are put after')
    .addOption(
      new Option('--redirect-http-code <code>', 'with which status clients are sent (default: 302)').choices(
        REDIRECT_HTTP_CODES.map(String),
      ),
    )
    .option('--position <position>', 'from 1; others move (default: the last)', whole(1, LIMITS.maxL7Position));
}

/** All but the pool, which is named. */
function attributesOf(options: Attributes): Row {
  return {
    action: options.action,
    redirect_url: options.redirectUrl,
    redirect_prefix: options.redirectPrefix,
    redirect_http_code: options.redirectHttpCode,
    position: options.position,
  };
}

async function redirectPool(session: Session, { redirectPool: pool }: Attributes): Promise<Row> {
  return pool === undefined ? {} : { redirect_pool_id: await resolve(session, 'pool', pool) };
}

async function printOne(session: Session, id: string): Promise<void> {
  await session.printObject(field(await session.get(`${PATH}/${id}`), 'l7policy'));
}
