/**
 * The network of a sandbox: a namespace and a cable into it.
 *
 *   namespace hostlb-HOST-KEY-… [eth0]───[hlbKEY-…] the agent's own network, where Open vSwitch is
 *
 * eth0 has one address per family, so whatever the kernel sends or asks there carries the VIP (or the internal source).
 * It has no link-local address: nothing is sent unasked, and neighbours are looked up from the address of the packet.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { AgentError } from './errors.ts';
import { INNER_LINK, type Naming, namespaceFile, type SandboxNames } from './names.ts';
import type { SandboxPlan } from './plan.ts';
import { inside, run } from './process.ts';

const NEIGHBOUR_RETRY_MS = 50;
const NEIGHBOUR_TRIES = 60;

interface Link {
  readonly name: string;
  readonly mac: string | undefined;
  /** The namespace of a cable's other end. */
  readonly peerNamespace: string | undefined;
}

/** Makes a fresh namespace and cable. Throws AgentError('command-failed'); what was made then is left to `removeNetwork`. */
export async function createNetwork({ names, mac }: SandboxPlan, mtu: number): Promise<void> {
  const { name: namespace, link } = names;
  await batch([
    `netns add ${namespace}`,
    `link add ${link} mtu ${mtu} type veth peer name ${INNER_LINK} address ${mac} mtu ${mtu} netns ${namespace}`,
    `link set ${link} addrgenmode none up`,
  ]);
}

/** Sets what is inside: may be repeated, and disturbs nothing that is as it should be. */
export async function configureNetwork(plan: SandboxPlan): Promise<void> {
  await run(...inside(plan.names.name, 'sh', ['-c', networkScript(plan)]));
}

/** A shell script that does so from inside, also in a virtual machine. */
export function networkScript({ addresses, routes, neighbours, reservedPorts }: SandboxPlan): string {
  const lines = [
    'link set lo up',
    `link set ${INNER_LINK} addrgenmode none`,
    ...addresses.map(
      ({ family, address, prefixLength }) =>
        `addr replace ${address}/${prefixLength} dev ${INNER_LINK}${family === 6 ? ' nodad' : ''}`,
    ),
    `link set ${INNER_LINK} up`,
    ...routes.map(({ subnet, source }) => `route replace ${subnet} dev ${INNER_LINK} src ${source}`),
    ...neighbours.map(({ address, mac }) => `neigh replace ${address} lladdr ${mac} dev ${INNER_LINK} nud permanent`),
  ];
  const settings: readonly [name: string, value: string][] = [
    [`ipv6/conf/${INNER_LINK}/accept_ra`, '0'],
    ['ipv4/ip_local_port_range', '10000 65535'],
    ['ipv4/ip_local_reserved_ports', reservedPorts.join(',')],
    ['ipv4/tcp_tw_reuse', '1'],
    // A member can be asked for before the switch knows it: ask again soon, for as long as usual.
    ...(['ipv4', 'ipv6'] as const).flatMap((family): [string, string][] => [
      [`${family}/neigh/${INNER_LINK}/retrans_time_ms`, `${NEIGHBOUR_RETRY_MS}`],
      [`${family}/neigh/${INNER_LINK}/mcast_solicit`, `${NEIGHBOUR_TRIES}`],
    ]),
  ];
  return [
    'set -e',
    ...settings.map(([name, value]) => `echo '${value}' >/proc/sys/net/${name}`),
    // A userspace switch takes frames as they are: checksums must be complete when they leave.
    `ethtool -K ${INNER_LINK} tx off tso off gso off >/dev/null`,
    `ip -batch - <<END\n${lines.join('\n')}\nEND`,
    // The entries of what is gone by now.
    `ip neigh show dev ${INNER_LINK} nud permanent | while read address rest; do
      case ' ${neighbours.map(({ address }) => address).join(' ')} ' in
        *" $address "*) ;;
        *) ip neigh del "$address" dev ${INNER_LINK} ;;
      esac
    done`,
  ].join('\n');
}

/** Whether namespace and cable are there and ours. Throws AgentError('name-taken') when the namespace is somebody else's. */
export async function inspectNetwork({ names, mac }: SandboxPlan, isKnown: boolean): Promise<'sound' | 'broken'> {
  const { name: namespace, link } = names;
  const cable = (await cables()).find(({ name }) => name === link);
  const isNamed = existsSync(namespaceFile(namespace));
  const isConnected = cable?.peerNamespace === namespace;
  if (isNamed && !isConnected && !isKnown) {
    throw new AgentError('name-taken', `network namespace ${namespace} exists and is not this agent's: remove it`);
  }
  if (!isNamed || !isConnected) return 'broken';
  const inner = (await links(['-n', namespace])).find(({ name }) => name === INNER_LINK);
  return inner?.mac === mac ? 'sound' : 'broken';
}

/** Whether our network has the sandbox's cable, with its other end in the sandbox's namespace. */
export async function hasCable({ name: namespace, link }: SandboxNames): Promise<boolean> {
  return (await cables()).some((cable) => cable.name === link && cable.peerNamespace === namespace);
}

/** Removes what there is of cable and namespace. Processes in it must have ended. */
export async function removeNetwork({ name: namespace, link }: SandboxNames): Promise<void> {
  const cable = (await cables()).find(({ name }) => name === link);
  // The cable first: the kernel takes its time to take a namespace down, and the switch would see the port meanwhile.
  const lines = [
    ...(cable === undefined ? [] : [`link del ${link}`]),
    ...(existsSync(namespaceFile(namespace)) ? [`netns del ${namespace}`] : []),
  ];
  if (lines.length > 0) await batch(lines);
}

/** Keys of the sandboxes of this host that have a cable in our network. Asked often, so no program is started for it. */
export async function keysOfCables(naming: Naming): Promise<ReadonlySet<number>> {
  const devices = await readFile('/proc/self/net/dev', 'utf8');
  return new Set([...devices.matchAll(/^\s*([^:\s]+):/gm)].flatMap(([, name]) => naming.keyOf(name!) ?? []));
}

function batch(lines: readonly string[]): Promise<string> {
  return run('ip', ['-batch', '-'], `${lines.join('\n')}\n`);
}

const cables = (): Promise<Link[]> => links([], ['type', 'veth']);

/** From text: as JSON, `ip` keeps the names of namespaces to itself. */
async function links(where: readonly string[], filter: readonly string[] = []): Promise<Link[]> {
  const lines = (await run('ip', [...where, '-oneline', 'link', 'show', ...filter])).split('\n');
  return lines.flatMap((line) => {
    const name = /^\d+: ([^@:\s]+)[@:]/.exec(line)?.[1];
    if (name === undefined) return [];
    const mac = / link\/ether (\S+)/.exec(line)?.[1];
    return [{ name, mac, peerNamespace: / link-netns (\S+)/.exec(line)?.[1] }];
  });
}
