import { type Command, Option } from 'commander';
import { ClientError } from '../api/client.ts';
import type { LoadBalancerJson } from '../api/resources.ts';
import { LOOKUP_MODES, PLACEMENTS, RETURN_PATHS, UNTIL_READY } from '../model/types.ts';
import { type Changes, requireChange, withChanges } from './changes.ts';
import { CliError, type Io } from './io.ts';
import type { Column, Row } from './render/table.ts';
import { resolve } from './resolve.ts';
import { vipsOf } from './services/read.ts';
import { type CommonOptions, collect, enc, field, openSession, reads, type Session, writes } from './session.ts';
import { printStatistics } from './statistics.ts';
import { type ListOptions, listing, lists } from './watch.ts';

const PATH = '/v2.0/lbaas/loadbalancers';

const COLUMNS: readonly Column[] = [
  ['NAME', 'name'],
  ['ID', 'id'],
  ['VIPS', (item) => vipsOf(item as unknown as LoadBalancerJson)],
  ['PLACEMENT', 'provider'],
  ['OWNER', 'project_id'],
  ['PROVISIONING', 'provisioning_status'],
  ['OPERATING', 'operating_status'],
];

/** What `create` and `set` say alike. */
interface Attributes {
  readonly lookupMode?: string;
  readonly returnPath?: string;
  readonly untilReady?: string;
}

interface CreateOptions extends CommonOptions, Attributes {
  readonly name: string;
  readonly network: string;
  readonly vip?: readonly string[];
  readonly placement?: string;
  readonly flavor?: string;
  readonly availabilityZone?: string;
  readonly owner?: string;
  readonly description?: string;
  readonly disable?: boolean;
}

/** `hostlb lb …` */
export function addLoadBalancerCommands(program: Command, io: Io): void {
  const lb = program.command('lb').description('load balancers: a VIP, its listeners and pools');

  withAttributes(writes(lb.command('create').description('create a load balancer')))
    .requiredOption('--name <name>', 'its name')
    .requiredOption('--network <network>', 'name or id of the network whose clients it serves')
    .option('--vip <address>', 'its address; once for IPv4, once for IPv6 (default: a free one)', collect)
    .addOption(new Option('--placement <placement>', 'where its balancers live (default: switch)').choices(PLACEMENTS))
    .option(
      '--availability-zone <zone>',
      'balancers only on the hosts of this zone (default: on every host with a client)',
    )
    .option('--flavor <flavor>', 'name or id of its flavor (default: the default one of the placement)')
    .option('--owner <owner>', 'tenant whose VMs it serves (default: VMs of every owner)')
    .option('--description <text>', 'what it is for')
    .option('--disable', 'create it switched off')
    .addHelpText(
      'after',
      '\nExample:\n  hostlb lb create --name web --network blue --vip 10.0.0.100 --vip fd00::100 --wait',
    )
    .action(async (options: CreateOptions) => {
      const session = openSession(io, options);
      const reply = await session.write('POST', PATH, { loadbalancer: createBody(options) });
      await printOne(session, field<LoadBalancerJson>(reply.body, 'loadbalancer').id);
    });

  lists(lb.command('list').description('list load balancers'))
    .option('--name <name>', 'only those of this name')
    .option('--owner <owner>', 'only those of this owner')
    .action((options: ListOptions & { name?: string; owner?: string }) =>
      listing(io, options, async (session) => {
        const query = new URLSearchParams();
        if (options.name !== undefined) query.set('name', options.name);
        if (options.owner !== undefined) query.set('project_id', options.owner);
        await session.printList(await session.list(`${PATH}?${query}`, 'loadbalancers'), COLUMNS);
      }),
    );

  reads(lb.command('show').description('show a load balancer'))
    .argument('<load-balancer>', 'name or id')
    .action(async (name: string, options: CommonOptions) => {
      const session = openSession(io, options);
      await printOne(session, await resolve(session, 'load balancer', name));
    });

  withAttributes(withChanges(writes(lb.command('set').description('change a load balancer'))))
    .argument('<load-balancer>', 'name or id')
    .action(async (name: string, options: CommonOptions & Changes & Attributes) => {
      const changes = requireChange(options, attributesOf(options));
      const session = openSession(io, options);
      const id = await resolve(session, 'load balancer', name);
      await session.write('PUT', `${PATH}/${id}`, { loadbalancer: changes });
      await printOne(session, id);
    });

  reads(lb.command('stats').description('what its balancers counted, with its listeners and members'))
    .argument('<load-balancer>', 'name or id')
    .option('--hosts', 'host by host')
    .action(async (name: string, options: CommonOptions & { hosts?: boolean }) => {
      const session = openSession(io, options);
      await printStatistics(session, await resolve(session, 'load balancer', name), options);
    });

  writes(lb.command('delete').description('delete a load balancer'))
    .argument('<load-balancer>', 'name or id')
    .option('--cascade', 'with its listeners, pools and members')
    .action(async (name: string, options: CommonOptions & { cascade?: boolean }) => {
      const session = openSession(io, options);
      const id = await resolve(session, 'load balancer', name);
      const query = options.cascade === true ? '?cascade=true' : '';
      await session.write('DELETE', `${PATH}/${id}${query}`).catch((error: unknown) => {
        if (!(error instanceof ClientError) || !error.message.endsWith('it has children')) throw error;
        throw new CliError(`${error.message}: give --cascade to delete them as well`);
      });
    });
}

function withAttributes(command: Command): Command {
  return command
    .addOption(new Option('--lookup-mode <mode>', 'how VMs learn the VIP MAC').choices(LOOKUP_MODES))
    .addOption(new Option('--return-path <path>', 'how replies travel').choices(RETURN_PATHS))
    .addOption(
      new Option(
        '--until-ready <how>',
        'outside the switch: hold lookups until ready, or serve from the switch',
      ).choices(UNTIL_READY),
    );
}

function attributesOf({ lookupMode, returnPath, untilReady }: Attributes): Row {
  return { lookup_mode: lookupMode, return_path: returnPath, until_ready: untilReady };
}

function createBody(options: CreateOptions): Row {
  const { name, network, vip = [], placement, flavor, availabilityZone: zone, owner, description, disable } = options;
  const [first, ...others] = vip;
  return {
    ...{ name, vip_network_id: network, vip_address: first, provider: placement, project_id: owner, description },
    ...{ flavor_id: flavor, availability_zone: zone, ...attributesOf(options) },
    additional_vips: others.map((address) => ({ ip_address: address })),
    admin_state_up: disable !== true,
  };
}

async function printOne(session: Session, id: string): Promise<void> {
  await session.printObject(field(await session.get(`${PATH}/${enc(id)}`), 'loadbalancer'));
}
