/** `hostlb export` and `hostlb import`: from and to what other programs read and write. */
import { type Command, Option } from 'commander';
import type { FlavorJson, NetworkJson } from '../api/resources.ts';
import { PLACEMENTS, type Placement } from '../model/types.ts';
import { applyDocument, parseDocument, readInput } from './apply.ts';
import { servicesDocument, treesDocument } from './formats/document.ts';
import type { Exported, Imported } from './formats/format.ts';
import { parseIpvsadm, printIpvsadm } from './formats/ipvsadm.ts';
import { parseOvn, printOvn } from './formats/ovn.ts';
import { CliError, type Io, printable } from './io.ts';
import { readNetworks } from './services/networks.ts';
import { type LoadBalancerTree, readTrees, servicesOf } from './services/read.ts';
import type { Service } from './services/service.ts';
import { type CommonOptions, connects, enc, field, openSession, type Session, writes } from './session.ts';

const FORMATS = ['ipvsadm', 'ovn', 'yaml'] as const;
type Format = (typeof FORMATS)[number];

const PARSERS: Readonly<Record<Exclude<Format, 'yaml'>, (text: string) => Imported>> = {
  ipvsadm: parseIpvsadm,
  ovn: parseOvn,
};
const PRINTERS: Readonly<Record<Exclude<Format, 'yaml'>, (services: readonly Service[]) => Exported>> = {
  ipvsadm: printIpvsadm,
  ovn: printOvn,
};

interface ImportOptions extends CommonOptions {
  readonly format: Format;
  readonly file: string;
  readonly network?: string;
  readonly placement?: Placement;
  readonly partial?: boolean;
}

export function addMigrationCommands(program: Command, io: Io): void {
  connects(program.command('export').description('print load balancers as other programs write them'))
    .addOption(format('what for'))
    .option('--name <name>', 'only load balancers of this name')
    .addHelpText('after', EXPORTED)
    .action(async (options: CommonOptions & { format: Format; name?: string }) => {
      const session = openSession(io, options);
      const trees = await readTrees(session, options.name === undefined ? '' : `name=${enc(options.name)}`);
      if (options.format === 'yaml') io.stdout.write(await yaml(session, trees));
      else print(io, PRINTERS[options.format], trees);
    });

  writes(program.command('import').description('make load balancers be as another program had them'))
    .addOption(format('whose'))
    .requiredOption('-f, --file <file>', 'what that program printed; - for stdin')
    .option('--network <network>', 'of all VIPs: name (default: of each VIP the one whose subnet has it)')
    .addOption(new Option('--placement <placement>', 'of all load balancers (default: switch)').choices(PLACEMENTS))
    .option('--partial', 'pass over what hostlb cannot serve')
    .addHelpText('after', IMPORTED)
    .action(async (options: ImportOptions) => {
      const { name, text } = await readInput(io, options.file);
      const session = openSession(io, options);
      const document =
        options.format === 'yaml'
          ? await parseDocument(text, name)
          : await translate(session, { ...options, name, text });
      await applyDocument(session, document);
    });
}

const EXPORTED = `
ipvsadm: for \`ipvsadm -R\`.  ovn: commands of ovn-nbctl for a shell.  yaml: for \`hostlb apply\`, and complete.
What the other program has no word for is told on stderr.`;

const IMPORTED = `
ipvsadm: what \`ipvsadm -S -n\` prints.  ovn: what \`ovn-nbctl -f json list load_balancer\` prints.  yaml: as \`hostlb apply\`.
Importing again changes nothing. What hostlb does otherwise is told on stderr.

Example:
  ipvsadm -S -n | hostlb import --format ipvsadm -f -`;

function format(what: string): Option {
  return new Option('--format <format>', what).choices(FORMATS).makeOptionMandatory();
}

/** What a service cannot say of its load balancer. */
function print(io: Io, printer: (services: readonly Service[]) => Exported, trees: readonly LoadBalancerTree[]): void {
  const enabled = trees.flatMap((tree) =>
    tree.listeners
      .filter(({ listener }) => listener.admin_state_up && tree.loadBalancer.admin_state_up)
      .map((listener) => ({ tree, listener })),
  );
  const { text, notes } = printer(enabled.flatMap(({ tree, listener }) => servicesOf(tree, listener)));
  const all = new Set([...trees.flatMap(notesOf), ...notes]);
  io.stdout.write(printable(text));
  for (const note of all) tell(io, note);
}

function notesOf({ loadBalancer: { name, admin_state_up: enabled }, listeners }: LoadBalancerTree): readonly string[] {
  return [
    ...(enabled ? [] : [`${name} is disabled, and left out`]),
    ...listeners.flatMap(({ listener, pool, policies }) => [
      ...(listener.admin_state_up ? [] : [`${name}: port ${listener.protocol_port} is disabled, and left out`]),
      ...(listener.protocol === 'HTTP'
        ? [`${name}: port ${listener.protocol_port} is balanced by connection, not as HTTP`]
        : []),
      ...(policies.length === 0 ? [] : [`${name}: L7 policies are left out`]),
      ...(pool?.monitor === undefined ? [] : [`${name}: health monitors are left out`]),
      ...(pool?.members.some(({ backup }) => backup) ? [`${name}: backup members are as the others`] : []),
    ]),
  ];
}

async function yaml(session: Session, trees: readonly LoadBalancerTree[]): Promise<string> {
  const networks = field<readonly NetworkJson[]>(await session.get('/v1/networks'), 'networks');
  const flavors = await session.list<FlavorJson>('/v2.0/lbaas/flavors', 'flavors');
  const document = treesDocument(trees, { networks, flavors: new Map(flavors.map(({ id, name }) => [id, name])) });
  const { stringify } = await import('yaml');
  return printable(stringify(document, { aliasDuplicateObjects: false }));
}

async function translate(
  session: Session,
  { format, name, text, network, placement, partial }: ImportOptions & { readonly name: string; readonly text: string },
): Promise<unknown> {
  const { services, notes, refused } = PARSERS[format as Exclude<Format, 'yaml'>](text);
  const [first, ...others] = refused;
  if (first !== undefined && partial !== true) {
    const more = others.length === 0 ? '' : `, and ${others.length} more`;
    throw new CliError(`${name}: ${first}${more}: nothing was imported, --partial passes over what cannot be`);
  }
  for (const note of [...notes, ...refused]) tell(session.io, note);
  const networkOf = network === undefined ? await readNetworks(session) : () => network;
  return servicesDocument(services, { networkOf, placement });
}

function tell({ stderr }: Io, text: string): void {
  stderr.write(`hostlb: ${printable(text).replaceAll('\n', ' ')}\n`);
}
