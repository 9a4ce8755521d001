import { type Command, Option } from 'commander';
import type { L7RuleJson } from '../api/resources.ts';
import { L7_COMPARE_TYPES, L7_RULE_TYPES } from '../model/l7.ts';
import { requireChange } from './changes.ts';
import type { Io } from './io.ts';
import type { Column, Row } from './render/table.ts';
import { resolve } from './resolve.ts';
import { type CommonOptions, enc, field, openSession, reads, type Session, writes } from './session.ts';
import { type ListOptions, listing, lists } from './watch.ts';

const COLUMNS: readonly Column[] = [
  ['ID', 'id'],
  ['TYPE', 'type'],
  ['KEY', 'key'],
  ['COMPARE', (item) => `${item.invert === true ? 'not ' : ''}${item.compare_type}`],
  ['VALUE', 'value'],
  ['OPERATING', 'operating_status'],
];

/** What `create` and `set` say alike; `create` must say type, comparison and value. */
interface Attributes {
  readonly type?: string;
  readonly compareType?: string;
  readonly key?: string;
  readonly value?: string;
  readonly invert?: boolean;
}

interface Switches {
  readonly enable?: boolean;
  readonly disable?: boolean;
}

/** `hostlb l7rule …` Rules have no names: each is told by its policy and its id. */
export function addL7RuleCommands(program: Command, io: Io): void {
  const rule = program.command('l7rule').description('L7 rules: what a request must be like to match an L7 policy');

  withAttributes(writes(rule.command('create').description('add a rule to an L7 policy')), 'needed')
    .argument('<l7-policy>', 'name or id')
    .option('--invert', 'match what the comparison does not')
    .option('--disable', 'create it switched off')
    .addHelpText('after', EXAMPLE)
    .action(async (policy: string, options: CommonOptions & Attributes & Switches) => {
      const session = openSession(io, options);
      const path = await pathOf(session, policy);
      const body = { ...attributesOf(options), admin_state_up: options.disable !== true };
      const reply = await session.write('POST', path, { rule: body });
      await printOne(session, path, field<L7RuleJson>(reply.body, 'rule').id);
    });

  lists(rule.command('list').description('list the rules of an L7 policy'))
    .argument('<l7-policy>', 'name or id')
    .action((policy: string, options: ListOptions) =>
      listing(io, options, async (session) => {
        await session.printList(await session.list(await pathOf(session, policy), 'rules'), COLUMNS);
      }),
    );

  reads(rule.command('show').description('show a rule'))
    .argument('<l7-policy>', 'name or id')
    .argument('<l7-rule>', 'id')
    .action(async (policy: string, id: string, options: CommonOptions) => {
      const session = openSession(io, options);
      await printOne(session, await pathOf(session, policy), id);
    });

  withAttributes(writes(rule.command('set').description('change a rule')))
    .argument('<l7-policy>', 'name or id')
    .argument('<l7-rule>', 'id')
    .option('--invert', 'match what the comparison does not')
    .option('--no-invert', 'match what the comparison does')
    .option('--enable', 'switch it on')
    .option('--disable', 'switch it off')
    .action(async (policy: string, id: string, options: CommonOptions & Attributes & Switches) => {
      const changes = requireChange(options, attributesOf(options));
      const session = openSession(io, options);
      const path = await pathOf(session, policy);
      await session.write('PUT', `${path}/${enc(id)}`, { rule: changes });
      await printOne(session, path, id);
    });

  writes(rule.command('delete').description('delete a rule'))
    .argument('<l7-policy>', 'name or id')
    .argument('<l7-rule>', 'id')
    .action(async (policy: string, id: string, options: CommonOptions) => {
      const session = openSession(io, options);
      await session.write('DELETE', `${await pathOf(session, policy)}/${enc(id)}`);
    });
}

const EXAMPLE = `
Example:
  hostlb l7rule create images --type FILE_TYPE --compare-type REGEX --value '^(png|jpe?g)$'`;

function withAttributes(command: Command, of: 'needed' | 'optional' = 'optional'): Command {
  const mandatory = (option: Option): Option => option.makeOptionMandatory(of === 'needed');
  return command
    .addOption(mandatory(new Option('--type <type>', 'what of a request it looks at').choices(L7_RULE_TYPES)))
    .addOption(mandatory(new Option('--compare-type <type>', 'how that is compared').choices(L7_COMPARE_TYPES)))
    .addOption(mandatory(new Option('--value <value>', 'with what')))
    .option('--key <name>', 'HEADER, COOKIE: name of the header or cookie');
}

function attributesOf({ type, compareType, key, value, invert }: Attributes): Row {
  return { type, compare_type: compareType, key, value, invert };
}

async function pathOf(session: Session, policy: string): Promise<string> {
  return `/v2.0/lbaas/l7policies/${await resolve(session, 'L7 policy', policy)}/rules`;
}

async function printOne(session: Session, path: string, id: string): Promise<void> {
  await session.printObject(field(await session.get(`${path}/${enc(id)}`), 'rule'));
}
