import type { Command } from 'commander';
import type { NetworkJson } from '../api/resources.ts';
import { CliError, type Io, UsageError } from './io.ts';
import type { Column } from './render/table.ts';
import { type CommonOptions, collect, enc, field, openSession, reads, type Session, whole, writes } from './session.ts';
import { type ListOptions, listing, lists } from './watch.ts';

const COLUMNS: readonly Column[] = [
  ['NAME', 'name'],
  ['ID', 'id'],
  ['VLAN', 'vlan'],
  ['SUBNETS', 'subnets'],
  ['BALANCER RANGE', 'balancer_range'],
];

interface NetworkOptions extends CommonOptions {
  readonly vlan?: number;
  readonly subnet?: readonly string[];
  readonly balancerRange?: readonly string[];
  readonly antiSpoofing?: boolean;
}

function attributes(command: Command): Command {
  return command
    .argument('<name>', 'name of the network')
    .option('--vlan <id>', 'its VLAN id, 0 = untagged', whole(0, 4094))
    .option('--subnet <cidr>', 'a subnet, IPv4 or IPv6; may be given again', collect)
    .option('--balancer-range <first-last>', 'addresses for balancers outside the switch; may be given again', collect)
    .option('--anti-spoofing', 'drop what claims the address of a VIP (default)')
    .option('--no-anti-spoofing', 'let it pass, unless it has a VIP MAC');
}

/** `hostlb network …` */
export function addNetworkCommands(program: Command, io: Io): void {
  const network = program.command('network').description('networks: L2 segments and their subnets');

  attributes(writes(network.command('add').description('add a network')))
    .addHelpText('after', '\nExample:\n  hostlb network add blue --vlan 0 --subnet 10.0.0.0/24 --subnet fd00::/64')
    .action(async (name: string, options: NetworkOptions) => {
      if (options.subnet === undefined) throw new UsageError('give at least one --subnet');
      const session = openSession(io, options);
      const known = field<readonly NetworkJson[]>(await session.get('/v1/networks'), 'networks');
      if (known.some((candidate) => candidate.name === name)) {
        throw new CliError(`network '${name}' exists: change it with \`hostlb network set ${name}\``);
      }
      const { vlan = 0, subnet, balancerRange = [], antiSpoofing = true } = options;
      await put(session, name, { vlan, subnets: subnet, balancer_range: balancerRange, anti_spoofing: antiSpoofing });
    });

  attributes(
    writes(network.command('set').description('change a network; lists that are given replace the old ones')),
  ).action(async (name: string, options: NetworkOptions) => {
    const { vlan, subnet, balancerRange, antiSpoofing } = options;
    if ([vlan, subnet, balancerRange, antiSpoofing].every((given) => given === undefined)) {
      throw new UsageError('nothing to change: give --vlan, --subnet, --balancer-range or --[no-]anti-spoofing');
    }
    const session = openSession(io, options);
    const old = await fetchNetwork(session, name);
    await put(session, old.name, {
      vlan: vlan ?? old.vlan,
      subnets: subnet ?? old.subnets,
      balancer_range: balancerRange ?? old.balancer_range,
      anti_spoofing: antiSpoofing ?? old.anti_spoofing,
    });
  });

  lists(network.command('list').description('list networks')).action((options: ListOptions) =>
    listing(io, options, async (session) => {
      await session.printList(field(await session.get('/v1/networks'), 'networks'), COLUMNS);
    }),
  );

  reads(network.command('show').description('show a network'))
    .argument('<network>', 'name or id')
    .action(async (name: string, options: CommonOptions) => {
      const session = openSession(io, options);
      await session.printObject({ ...(await fetchNetwork(session, name)) });
    });

  writes(network.command('delete').description('delete a network that no load balancer uses'))
    .argument('<network>', 'name or id')
    .action(async (name: string, options: CommonOptions) => {
      await openSession(io, options).write('DELETE', `/v1/networks/${enc(name)}`);
    });
}

async function fetchNetwork(session: Session, name: string): Promise<NetworkJson> {
  return field(await session.get(`/v1/networks/${enc(name)}`), 'network');
}

async function put(session: Session, name: string, network: Omit<NetworkJson, 'id' | 'name'>): Promise<void> {
  const reply = await session.write('PUT', `/v1/networks/${enc(name)}`, { network });
  await session.printObject(field(reply.body, 'network'));
}
