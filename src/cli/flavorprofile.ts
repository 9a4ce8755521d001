import { type Command, Option } from 'commander';
import type { FlavorProfileJson } from '../api/resources.ts';
import { CAPABILITIES } from '../model/capabilities.ts';
import { LIMITS } from '../model/limits.ts';
import { PLACEMENTS } from '../model/types.ts';
import { requireChange } from './changes.ts';
import type { Io } from './io.ts';
import type { Column } from './render/table.ts';
import { resolve } from './resolve.ts';
import { type CommonOptions, decimal, field, openSession, reads, type Session, whole, writes } from './session.ts';
import { type ListOptions, listing, lists } from './watch.ts';

/** Where the API keeps profiles. */
export const PROFILES = '/v2.0/lbaas/flavorprofiles';

const COLUMNS: readonly Column[] = [
  ['NAME', 'name'],
  ['ID', 'id'],
  ['PLACEMENT', 'provider_name'],
  ['DATA', 'flavor_data'],
];

/** The parameters of a balancer. */
export interface FlavorData {
  readonly vcpus?: number;
  readonly memory?: number;
  readonly image?: string;
  readonly kernel?: string;
  readonly maxConnections?: number;
}

/** Adds an option for each of them. */
export function dataOptions(command: Command): Command {
  return command
    .option('--vcpus <count>', 'CPUs; fractions for namespaces and containers', decimal(0.01, LIMITS.maxVcpus))
    .option('--memory <MiB>', 'memory', whole(LIMITS.minMemoryMib, LIMITS.maxMemoryMib))
    .option('--image <image>', 'container: image reference; VM: path of an image or initramfs on the host')
    .option('--kernel <path>', 'VM: path of a kernel on the host')
    .option('--max-connections <count>', 'concurrent connections', whole(1, LIMITS.maxConnections));
}

/** What was given of them, in the API's words. */
export function dataOf({ vcpus, memory, image, kernel, maxConnections }: FlavorData): Record<string, unknown> {
  const all = { vcpus, memory_mib: memory, image, kernel, max_connections: maxConnections };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

/** `--placement` of a flavor or profile. */
export function placementOption(): Option {
  const outside = PLACEMENTS.filter((placement) => CAPABILITIES[placement].attributes.includes('flavor'));
  return new Option('--placement <placement>', 'for balancers of this placement').choices(outside);
}

/** `hostlb flavorprofile …` */
export function addFlavorProfileCommands(program: Command, io: Io): void {
  const profile = program
    .command('flavorprofile')
    .description('flavor profiles: parameters that several flavors can share');

  dataOptions(writes(profile.command('create').description('create a flavor profile')))
    .argument('<name>', 'its name')
    .addOption(placementOption().makeOptionMandatory())
    .addHelpText(
      'after',
      '\nExample:\n  hostlb flavorprofile create tiny --placement container --vcpus 0.5 --memory 64',
    )
    .action(async (name: string, options: CommonOptions & FlavorData & { placement: string }) => {
      const session = openSession(io, options);
      const body = { name, provider_name: options.placement, flavor_data: JSON.stringify(dataOf(options)) };
      const reply = await session.write('POST', PROFILES, { flavorprofile: body });
      await printOne(session, field<FlavorProfileJson>(reply.body, 'flavorprofile').id);
    });

  lists(profile.command('list').description('list flavor profiles')).action((options: ListOptions) =>
    listing(io, options, async (session) => {
      await session.printList(field(await session.get(PROFILES), 'flavorprofiles'), COLUMNS);
    }),
  );

  reads(profile.command('show').description('show a flavor profile'))
    .argument('<profile>', 'name or id')
    .action(async (name: string, options: CommonOptions) => {
      const session = openSession(io, options);
      await printOne(session, await resolve(session, 'flavor profile', name));
    });

  dataOptions(
    writes(
      profile
        .command('set')
        .description('change a flavor profile; its parameters are those given, while no flavor uses it'),
    ),
  )
    .argument('<profile>', 'name or id')
    .option('--name <name>', 'its new name')
    .action(async (name: string, options: CommonOptions & FlavorData & { name?: string }) => {
      const data = dataOf(options);
      const changes = requireChange(
        { ...(options.name === undefined ? {} : { name: options.name }) },
        { flavor_data: Object.keys(data).length === 0 ? undefined : JSON.stringify(data) },
      );
      const session = openSession(io, options);
      const id = await resolve(session, 'flavor profile', name);
      await session.write('PUT', `${PROFILES}/${id}`, { flavorprofile: changes });
      await printOne(session, id);
    });

  writes(profile.command('delete').description('delete a flavor profile that no flavor has'))
    .argument('<profile>', 'name or id')
    .action(async (name: string, options: CommonOptions) => {
      const session = openSession(io, options);
      await session.write('DELETE', `${PROFILES}/${await resolve(session, 'flavor profile', name)}`);
    });
}

async function printOne(session: Session, id: string): Promise<void> {
  await session.printObject(field(await session.get(`${PROFILES}/${id}`), 'flavorprofile'));
}
