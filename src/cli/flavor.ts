import type { Command } from 'commander';
import type { FlavorJson, FlavorProfileJson } from '../api/resources.ts';
import { requireChange } from './changes.ts';
import { dataOf, dataOptions, type FlavorData, PROFILES, placementOption } from './flavorprofile.ts';
import { type Io, UsageError } from './io.ts';
import type { Column, Row } from './render/table.ts';
import { resolve } from './resolve.ts';
import { type CommonOptions, field, openSession, reads, type Session, writes } from './session.ts';
import { type ListOptions, listing, lists } from './watch.ts';

const PATH = '/v2.0/lbaas/flavors';

const COLUMNS: readonly Column[] = [
  ['NAME', 'name'],
  ['ID', 'id'],
  ['PLACEMENT', 'placement'],
  ['DATA', 'flavor_data'],
  ['DEFAULT', 'default'],
  ['ENABLED', 'enabled'],
  ['DESCRIPTION', 'description'],
];

interface CreateOptions extends CommonOptions, FlavorData {
  readonly placement?: string;
  readonly profile?: string;
  readonly description?: string;
  readonly default?: boolean;
  readonly disable?: boolean;
}

interface SetOptions extends CommonOptions {
  readonly name?: string;
  readonly description?: string;
  readonly enable?: boolean;
  readonly disable?: boolean;
  readonly default?: boolean;
}

/** `hostlb flavor …` */
export function addFlavorCommands(program: Command, io: Io): void {
  const flavor = program.command('flavor').description('flavors: what a balancer outside the switch is made of');

  dataOptions(writes(flavor.command('create').description('create a flavor, with a profile of its own')))
    .argument('<name>', 'its name')
    .addOption(placementOption())
    .option('--profile <profile>', 'use this profile instead: name or id')
    .option('--description <text>', 'what it is for')
    .option('--default', 'load balancers of its placement get it when they name none')
    .option('--disable', 'new load balancers may not name it yet')
    .addHelpText('after', '\nExample:\n  hostlb flavor create small --placement vm --vcpus 1 --memory 128 --default')
    .action(async (name: string, options: CreateOptions) => {
      const session = openSession(io, options);
      const { description, default: isDefault, disable } = options;
      const profile = await profileFor(session, name, options);
      const body = { name, description, enabled: disable !== true, default: isDefault, flavor_profile_id: profile.id };
      const reply = await session.write('POST', PATH, { flavor: body }).catch(async (error: unknown) => {
        if (profile.made) await session.write('DELETE', `${PROFILES}/${profile.id}`);
        throw error;
      });
      await printOne(session, field<FlavorJson>(reply.body, 'flavor').id);
    });

  lists(flavor.command('list').description('list flavors')).action((options: ListOptions) =>
    listing(io, options, async (session) => {
      const flavors = field<readonly FlavorJson[]>(await session.get(PATH), 'flavors');
      const profiles = field<readonly FlavorProfileJson[]>(await session.get(PROFILES), 'flavorprofiles');
      const byId = new Map(profiles.map((profile) => [profile.id, profile]));
      await session.printList(
        flavors.map((one) => withProfile(one, byId.get(one.flavor_profile_id))),
        COLUMNS,
      );
    }),
  );

  reads(flavor.command('show').description('show a flavor'))
    .argument('<flavor>', 'name or id')
    .action(async (name: string, options: CommonOptions) => {
      const session = openSession(io, options);
      await printOne(session, await resolve(session, 'flavor', name));
    });

  writes(flavor.command('set').description('change a flavor; load balancers that have it keep it'))
    .argument('<flavor>', 'name or id')
    .option('--name <name>', 'its new name')
    .option('--description <text>', 'what it is for')
    .option('--default', 'load balancers of its placement get it when they name none')
    .option('--no-default', 'they do not')
    .option('--enable', 'new load balancers may name it')
    .option('--disable', 'new load balancers may not name it')
    .action(async (name: string, options: SetOptions) => {
      const { admin_state_up: enabled, ...changes } = requireChange(options, { default: options.default });
      const session = openSession(io, options);
      const id = await resolve(session, 'flavor', name);
      await session.write('PUT', `${PATH}/${id}`, { flavor: { ...changes, enabled } });
      await printOne(session, id);
    });

  writes(
    flavor.command('delete').description('delete a flavor that no load balancer has, and its profile of that name'),
  )
    .argument('<flavor>', 'name or id')
    .action(async (name: string, options: CommonOptions) => {
      const session = openSession(io, options);
      const id = await resolve(session, 'flavor', name);
      const { profile, ...one } = await read(session, id);
      await session.write('DELETE', `${PATH}/${id}`);
      const rest = field<readonly FlavorJson[]>(await session.get(PATH), 'flavors');
      const shared = rest.some((other) => other.flavor_profile_id === profile.id);
      if (profile.name === one.name && !shared) await session.write('DELETE', `${PROFILES}/${profile.id}`);
    });
}

/** The profile that a new flavor is to have; made for it unless one is named. */
async function profileFor(
  session: Session,
  name: string,
  { placement, profile, ...options }: CreateOptions,
): Promise<{ readonly id: string; readonly made: boolean }> {
  const data = dataOf(options);
  if (profile !== undefined) {
    if (placement !== undefined || Object.keys(data).length > 0) {
      throw new UsageError('--profile says placement and parameters already: give either it or them');
    }
    return { id: await resolve(session, 'flavor profile', profile), made: false };
  }
  if (placement === undefined) throw new UsageError('give --placement, or --profile');
  const body = { name, provider_name: placement, flavor_data: JSON.stringify(data) };
  const reply = await session.write('POST', PROFILES, { flavorprofile: body });
  return { id: field<FlavorProfileJson>(reply.body, 'flavorprofile').id, made: true };
}

async function read(session: Session, id: string): Promise<FlavorJson & { readonly profile: FlavorProfileJson }> {
  const flavor = field<FlavorJson>(await session.get(`${PATH}/${id}`), 'flavor');
  const answer = await session.get(`${PROFILES}/${flavor.flavor_profile_id}`);
  return { ...flavor, profile: field(answer, 'flavorprofile') };
}

function withProfile(flavor: FlavorJson, profile: FlavorProfileJson | undefined): Row {
  return { ...flavor, placement: profile?.provider_name, flavor_data: profile?.flavor_data };
}

async function printOne(session: Session, id: string): Promise<void> {
  const { profile, ...flavor } = await read(session, id);
  await session.printObject(withProfile(flavor, profile));
}
