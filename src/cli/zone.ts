import { type Command, Option } from 'commander';
import type { AvailabilityZoneJson, AvailabilityZoneProfileJson } from '../api/resources.ts';
import { DEFAULT_PLACEMENT } from '../model/capabilities.ts';
import { PLACEMENTS } from '../model/types.ts';
import { CliError, type Io } from './io.ts';
import type { Column, Row } from './render/table.ts';
import { type CommonOptions, collect, enc, field, openSession, reads, type Session, writes } from './session.ts';
import { type ListOptions, listing, lists } from './watch.ts';

const ZONES = '/v2.0/lbaas/availabilityzones';
const PROFILES = '/v2.0/lbaas/availabilityzoneprofiles';

const COLUMNS: readonly Column[] = [
  ['NAME', 'name'],
  ['PLACEMENT', 'placement'],
  ['HOSTS', 'hosts'],
  ['ENABLED', 'enabled'],
  ['DESCRIPTION', 'description'],
];

/** `hostlb zone …`: availability zones, each with a profile of its name. */
export function addZoneCommands(program: Command, io: Io): void {
  const zone = program.command('zone').description('availability zones: groups of hosts that have the balancers');

  writes(zone.command('create').description('create a zone, with a profile of its own'))
    .argument('<name>', 'its name')
    .requiredOption('--host <name>', 'a host of it; may be repeated', collect)
    .addOption(
      new Option('--placement <placement>', 'of the load balancers in it')
        .choices(PLACEMENTS)
        .default(DEFAULT_PLACEMENT),
    )
    .option('--description <text>', 'what it is for')
    .addHelpText('after', '\nExample:\n  hostlb zone create rack1 --host h1 --host h2')
    .action(async (name: string, { host, placement, description, ...options }: CreateOptions) => {
      const session = openSession(io, options);
      const profile = { name, provider_name: placement, availability_zone_data: JSON.stringify({ hosts: host }) };
      const made = await session.write('POST', PROFILES, { availability_zone_profile: profile });
      const { id } = field<AvailabilityZoneProfileJson>(made.body, 'availability_zone_profile');
      const body = { name, description, availability_zone_profile_id: id };
      await session.write('POST', ZONES, { availability_zone: body }).catch(async (error: unknown) => {
        await session.write('DELETE', `${PROFILES}/${id}`);
        throw error;
      });
      await printOne(session, name);
    });

  lists(zone.command('list').description('list zones')).action((options: ListOptions) =>
    listing(io, options, async (session) => {
      await session.printList(await zonesOf(session), COLUMNS);
    }),
  );

  reads(zone.command('show').description('show a zone'))
    .argument('<name>', 'its name')
    .action(async (name: string, options: CommonOptions) => printOne(openSession(io, options), name));

  writes(zone.command('set').description('change the hosts of a zone; balancers follow'))
    .argument('<name>', 'its name')
    .requiredOption('--host <name>', 'a host of it; all of them must be said', collect)
    .action(async (name: string, { host, ...options }: CommonOptions & { host: string[] }) => {
      const session = openSession(io, options);
      const { profile } = await zoneOf(session, name);
      const change = { availability_zone_data: JSON.stringify({ hosts: host }) };
      await session.write('PUT', `${PROFILES}/${enc(profile)}`, { availability_zone_profile: change });
      await printOne(session, name);
    });

  writes(zone.command('delete').description('delete a zone that no load balancer is in, and its profile'))
    .argument('<name>', 'its name')
    .action(async (name: string, options: CommonOptions) => {
      const session = openSession(io, options);
      const { profile } = await zoneOf(session, name);
      await session.write('DELETE', `${ZONES}/${enc(name)}`);
      await session.write('DELETE', `${PROFILES}/${enc(profile)}`);
    });
}

interface CreateOptions extends CommonOptions {
  readonly host: string[];
  readonly placement: string;
  readonly description?: string;
}

interface Zone extends Row {
  readonly name: string;
  readonly profile: string;
}

async function zonesOf(session: Session): Promise<readonly Zone[]> {
  const zones = field<readonly AvailabilityZoneJson[]>(await session.get(ZONES), 'availability_zones');
  const body = await session.get(PROFILES);
  const profiles = field<readonly AvailabilityZoneProfileJson[]>(body, 'availability_zone_profiles');
  return zones.map(({ name, description, enabled, availability_zone_profile_id: id }) => {
    const profile = profiles.find((one) => one.id === id);
    const { hosts = [] } = JSON.parse(profile?.availability_zone_data ?? '{}') as { hosts?: readonly string[] };
    return { name, placement: profile?.provider_name ?? '', hosts, enabled, description, profile: id };
  });
}

async function zoneOf(session: Session, name: string): Promise<Zone> {
  const zone = (await zonesOf(session)).find((one) => one.name === name);
  if (zone === undefined) throw new CliError(`there is no zone '${name}'`);
  return zone;
}

async function printOne(session: Session, name: string): Promise<void> {
  await session.printObject(await zoneOf(session, name));
}
