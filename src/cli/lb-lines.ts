/** One-liners in the manner of ovn-nbctl(8): `hostlb lb-add`, `lb-del`, `lb-list`. */
import { type Command, Option } from 'commander';
import type { MemberJson } from '../api/resources.ts';
import { familyOf } from '../model/addresses.ts';
import { TRANSPORTS, type Transport, transportOf } from '../model/transport.ts';
import { ALGORITHMS, type Algorithm, PLACEMENTS } from '../model/types.ts';
import { CliError, type Io } from './io.ts';
import type { Column, Row } from './render/table.ts';
import { networkOf } from './services/networks.ts';
import { type ListenerTree, type LoadBalancerTree, readTrees, servicesOf, vipsOf } from './services/read.ts';
import {
  type Backend,
  type Endpoint,
  printEndpoint,
  requireBackends,
  requireEndpoint,
  requireTransport,
} from './services/service.ts';
import { type CommonOptions, enc, openSession, type Session, writes } from './session.ts';
import { type ListOptions, listing, lists } from './watch.ts';

const PATH = '/v2.0/lbaas';
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

const COLUMNS: readonly Column[] = [
  ['UUID', 'id'],
  ['LB', 'name'],
  ['PROTO', 'protocol'],
  ['VIP', 'vip'],
  ['IPS', (row) => (row.ips as readonly string[]).join(',')],
];

interface AddOptions extends CommonOptions {
  readonly mayExist?: boolean;
  readonly addDuplicate?: boolean;
  readonly network?: string;
  readonly algorithm: Algorithm;
  readonly placement?: string;
}

/** What `lb-add` was told to make. */
interface Wanted {
  readonly name: string;
  readonly vip: Endpoint;
  readonly backends: readonly Backend[];
  readonly transport: Transport;
}

export function addLoadBalancerLines(program: Command, io: Io): void {
  writes(program.command('lb-add').description('balance connections to a VIP and port, in one line'))
    .argument('<lb>', 'name or id; a load balancer that does not exist is created')
    .argument('<vip>', 'ADDRESS:PORT, or [ADDRESS]:PORT')
    .argument('<ips>', 'where they go: ADDRESS:PORT,ADDRESS:PORT')
    .argument('[protocol]', `${TRANSPORTS.join(', ')}`, 'tcp')
    .option('--may-exist', 'where the load balancer has that VIP and port already, make its members be these')
    .option('--add-duplicate', 'create a load balancer even where there is one of that name')
    .option('--network <network>', 'of the VIP: name or id (default: the one whose subnet has the VIP)')
    .addOption(
      new Option('--algorithm <algorithm>', 'how members are picked').choices(ALGORITHMS).default(ALGORITHMS[0]),
    )
    .addOption(new Option('--placement <placement>', 'of a new load balancer (default: switch)').choices(PLACEMENTS))
    .addHelpText('after', '\nExample:\n  hostlb lb-add web 10.0.0.100:80 10.0.0.21:80,10.0.0.22:80 tcp --wait')
    .action(async (name: string, vip: string, ips: string, protocol: string, options: AddOptions) => {
      const at = requireEndpoint(vip);
      const transport = requireTransport(protocol);
      const wanted: Wanted = { name, vip: at, backends: requireBackends(ips, at), transport };
      const session = openSession(io, options);
      const tree = options.addDuplicate === true ? undefined : await find(session, name);
      if (tree === undefined) await create(session, wanted, options);
      else await extend(session, tree, wanted, options);
    });

  writes(program.command('lb-del').description('delete a load balancer, or what it does at one VIP and port'))
    .argument('<lb>', 'name or id')
    .argument('[vip]', 'ADDRESS:PORT; its last one takes the load balancer with it')
    .argument('[protocol]', `only ${TRANSPORTS.join(', ')} (default: each)`)
    .option('--if-exists', 'that there is none is no error')
    .action(
      async (
        name: string,
        vip: string | undefined,
        protocol: string | undefined,
        options: CommonOptions & IfExists,
      ) => {
        const at = vip === undefined ? undefined : requireEndpoint(vip);
        const transport = protocol === undefined ? undefined : requireTransport(protocol);
        const session = openSession(io, options);
        const tree = await find(session, name);
        if (tree === undefined) {
          if (options.ifExists !== true) throw new CliError(`there is no load balancer '${name}'`);
        } else if (at === undefined) await deleteAll(session, tree);
        else await deleteAt(session, tree, { at, transport, ...options });
      },
    );

  lists(program.command('lb-list').description('list what each load balancer does at each VIP and port'))
    .argument('[lb]', 'only this one: name or id')
    .action((name: string | undefined, options: ListOptions) =>
      listing(io, options, async (session) => {
        const trees = await readTrees(session, name === undefined ? '' : queryOf(name));
        await session.printList(trees.flatMap(rowsOf), COLUMNS);
      }),
    );
}

interface IfExists {
  readonly ifExists?: boolean;
}

const queryOf = (name: string): string => `${UUID.test(name) ? 'id' : 'name'}=${enc(name)}`;

async function find(session: Session, name: string): Promise<LoadBalancerTree | undefined> {
  const [tree, ...others] = await readTrees(session, queryOf(name));
  if (others.length > 0)
    throw new CliError(`${others.length + 1} load balancers are named '${name}': use an id instead`);
  return tree;
}

function rowsOf(tree: LoadBalancerTree): readonly Row[] {
  const { id, name } = tree.loadBalancer;
  const services = tree.listeners.flatMap((listener) => servicesOf(tree, listener));
  return services.map(({ transport, vip, backends }) => {
    const ips = backends.map(printEndpoint);
    return { id, name, protocol: transport, vip: printEndpoint(vip), ips };
  });
}

const membersBody = (backends: readonly Endpoint[]) =>
  backends.map(({ address, port }) => ({ address, protocol_port: port }));

function poolBody({ transport, backends }: Wanted, { algorithm }: AddOptions) {
  return { protocol: transport.toUpperCase(), lb_algorithm: algorithm, members: membersBody(backends) };
}

function listenerBody(wanted: Wanted, options: AddOptions) {
  const { transport, vip } = wanted;
  const protocol = transport.toUpperCase();
  return { protocol, protocol_port: vip.port, default_pool: poolBody(wanted, options) };
}

async function create(session: Session, wanted: Wanted, options: AddOptions): Promise<void> {
  const { name, vip } = wanted;
  const network = options.network ?? (await networkOf(session, [vip.address]));
  const body = { name, vip_network_id: network, vip_address: vip.address, provider: options.placement };
  const listeners = [listenerBody(wanted, options)];
  await session.write('POST', `${PATH}/loadbalancers`, { loadbalancer: { ...body, listeners } });
}

/** Adds to a load balancer that exists. */
async function extend(session: Session, tree: LoadBalancerTree, wanted: Wanted, options: AddOptions): Promise<void> {
  const { vip, transport, backends, name } = wanted;
  const vips = vipsOf(tree.loadBalancer);
  if (!vips.includes(vip.address)) {
    throw new CliError(
      `load balancer '${name}' is at ${vips.join(' and ')}, and its VIPs cannot change: name another one for ${vip.address}`,
    );
  }
  const found = tree.listeners.find(({ listener }) => isAt(listener, vip, transport));
  if (found === undefined) {
    const listener = { loadbalancer_id: tree.loadBalancer.id, ...listenerBody(wanted, options) };
    await session.write('POST', `${PATH}/listeners`, { listener });
  } else if (found.pool === undefined) {
    const pool = { listener_id: found.listener.id, ...poolBody(wanted, options) };
    await session.write('POST', `${PATH}/pools`, { pool });
  } else {
    const [own, others] = byFamily(found.pool.members, vip);
    if (own.length > 0 && options.mayExist !== true) {
      throw new CliError(`${name}: a load balancer with this vip (${printEndpoint(vip)}) already exists`);
    }
    const members = [...membersBody(backends), ...others];
    await session.write('PUT', `${PATH}/pools/${found.pool.pool.id}/members`, { members });
  }
}

interface Place {
  readonly at: Endpoint;
  readonly transport: Transport | undefined;
  readonly ifExists?: boolean;
}

async function deleteAt(session: Session, tree: LoadBalancerTree, { at, transport, ifExists }: Place): Promise<void> {
  const isMeant = (listener: ListenerTree): boolean =>
    isAt(listener.listener, at, transport) && servicesOf(tree, listener).some(({ vip }) => vip.address === at.address);
  const meant = tree.listeners.filter(isMeant);
  if (meant.length === 0) {
    if (ifExists === true) return;
    throw new CliError(`vip ${printEndpoint(at)} is not part of the load balancer`);
  }
  const goes = meant.filter((listener) => servicesOf(tree, listener).length === 1);
  if (goes.length === tree.listeners.length) return deleteAll(session, tree);
  for (const listener of meant) {
    if (goes.includes(listener)) await deleteListener(session, tree, listener);
    else await keepOthers(session, listener, at);
  }
}

async function deleteAll(session: Session, { loadBalancer }: LoadBalancerTree): Promise<void> {
  await session.write('DELETE', `${PATH}/loadbalancers/${loadBalancer.id}?cascade=true`);
}

/** With its pool, unless another listener has it too. */
async function deleteListener(
  session: Session,
  tree: LoadBalancerTree,
  { listener, pool }: ListenerTree,
): Promise<void> {
  await session.write('DELETE', `${PATH}/listeners/${listener.id}`);
  const shared = tree.listeners.some((other) => other.listener !== listener && other.pool === pool);
  if (pool !== undefined && !shared) await session.write('DELETE', `${PATH}/pools/${pool.pool.id}`);
}

/** The listener goes on at its VIP of the other family. */
async function keepOthers(session: Session, { pool }: ListenerTree, at: Endpoint): Promise<void> {
  if (pool === undefined) return;
  const [, members] = byFamily(pool.members, at);
  await session.write('PUT', `${PATH}/pools/${pool.pool.id}/members`, { members });
}

function isAt(listener: ListenerTree['listener'], { port }: Endpoint, transport: Transport | undefined): boolean {
  const matches = transport === undefined || transportOf(listener.protocol) === transport;
  return listener.protocol_port === port && matches;
}

/** Members of the VIP's family, and the others as a batch names them: by address and port alone, so they stay as they are. */
function byFamily(members: readonly MemberJson[], vip: Endpoint) {
  const isOwn = ({ address }: MemberJson): boolean => familyOf(address) === familyOf(vip.address);
  const others = members.filter((member) => !isOwn(member));
  return [members.filter(isOwn), others.map(({ address, protocol_port }) => ({ address, protocol_port }))] as const;
}
