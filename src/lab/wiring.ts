/**
 * Namespaces and cables:
 *
 *   LAB-vm-c1 [eth0]───[vm-c1] LAB-h1 [uplink]───[h1] LAB-segment
 *                              br-int (OVS)           phys (Linux bridge)
 *
 * Hosts and segment have no IPv6 of their own, so that nothing but what is plugged in speaks on a wire.
 */
import { readdirSync } from 'node:fs';
import type { Neighbour } from './controller-knowledge.ts';
import { LabError } from './errors.ts';
import { namespaceFile } from './names.ts';
import { inside, run } from './process.ts';

export const UPLINK = 'uplink';
const SEGMENT_BRIDGE = 'phys';

interface BatchOptions {
  /** Namespace to work in; none = the machine's own. */
  readonly namespace?: string;
  readonly signal?: AbortSignal | undefined;
}

function ip(lines: readonly string[], { namespace, signal }: BatchOptions = {}): Promise<string> {
  const where = namespace === undefined ? [] : ['-n', namespace];
  return run('ip', [...where, '-batch', '-'], { input: `${lines.join('\n')}\n`, signal });
}

/** The namespaces that exist on the machine. */
export function namespaces(): string[] {
  try {
    return readdirSync(namespaceFile(''));
  } catch {
    return [];
  }
}

/**
 * Userspace switching takes frames as they are: checksums must be complete when they leave the VM. And a guest sees nothing
 * of its host's cables: it keeps what it knows of its neighbours when it moves (Linux 5.16 and later can be told so).
 */
const LIKE_A_GUEST = `
ethtool -K eth0 tx off
for file in ipv4/conf/eth0/arp_evict_nocarrier ipv6/conf/eth0/ndisc_evict_nocarrier; do
  [ ! -e /proc/sys/net/$file ] || echo 0 >/proc/sys/net/$file
done`;

/** Makes a namespace whose interfaces carry frames only. */
async function createSilentNamespace(namespace: string): Promise<void> {
  await ip([`netns add ${namespace}`]);
  await run(...inside(namespace, 'sh', ['-c', 'echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6']));
}

/** Makes the physical segment: a bridge that carries all VLANs. */
export async function createSegment(namespace: string): Promise<void> {
  await createSilentNamespace(namespace);
  const bridge = `link add ${SEGMENT_BRIDGE} type bridge forward_delay 0 mcast_snooping 0`;
  await ip([bridge, `link set ${SEGMENT_BRIDGE} up`], { namespace });
}

/** Makes a host's namespace with its uplink plugged into the segment. */
export async function createHostNetwork(host: { name: string; namespace: string; segment: string }): Promise<void> {
  const { name, namespace, segment } = host;
  await createSilentNamespace(namespace);
  await ip([`link add ${UPLINK} netns ${namespace} type veth peer name ${name} netns ${segment}`]);
  await Promise.all([
    ip(['link set lo up', `link set ${UPLINK} up`], { namespace }),
    ip([`link set ${name} master ${SEGMENT_BRIDGE} up`], { namespace: segment }),
  ]);
}

export interface VmNetwork {
  readonly namespace: string;
  readonly hostNamespace: string;
  readonly port: string;
  readonly mac: string;
  /** With prefix lengths. */
  readonly addresses: readonly string[];
  /** Permanent entries. */
  readonly neighbours: readonly Neighbour[];
}

/** Makes a VM's namespace with its interface `eth0`, whose other end is `port` in the host's namespace. */
export async function createVmNetwork(network: VmNetwork): Promise<void> {
  const { namespace, hostNamespace, port, mac, addresses, neighbours } = network;
  await ip([
    `netns add ${namespace}`,
    `link add ${port} netns ${hostNamespace} type veth peer name eth0 netns ${namespace} address ${mac}`,
  ]);
  await Promise.all([
    ip([`link set ${port} up`], { namespace: hostNamespace }),
    // No duplicate address detection: addresses serve from the first moment.
    ip(
      [
        'link set lo up',
        'link set eth0 addrgenmode none up',
        ...addresses.map((address) => `addr add ${address} dev eth0${address.includes(':') ? ' nodad' : ''}`),
        `addr add ${linkLocal(mac)}/64 dev eth0 nodad`,
        ...neighbours.map((entry) => `neigh replace ${entry.address} lladdr ${entry.mac} dev eth0 nud permanent`),
      ],
      { namespace },
    ),
    run(...inside(namespace, 'sh', ['-ec', LIKE_A_GUEST])),
  ]);
}

/** The IPv6 link-local address that belongs to a MAC (RFC 4291, appendix A). */
export function linkLocal(mac: string): string {
  const [a, b, c, d, e, f] = mac.split(':').map((byte) => Number.parseInt(byte, 16)) as [number, ...number[]];
  const groups = [
    [a ^ 2, b],
    [c, 0xff],
    [0xfe, d],
    [e, f],
  ].map(([high, low]) => ((high! << 8) | low!).toString(16));
  return `fe80::${groups.join(':')}`;
}

/** Carries a VM's cable from one host to the other. The VM's own end, with all that is on it, stays as it is. */
export async function moveCable(cable: { port: string; from: string; to: string }): Promise<void> {
  await ip([`link set ${cable.port} netns ${cable.to}`], { namespace: cable.from });
  await ip([`link set ${cable.port} up`], { namespace: cable.to });
}

/** Removes namespaces, and with them their interfaces. What is absent is no error. */
export async function deleteNamespaces(names: Iterable<string>): Promise<void> {
  const existing = new Set(namespaces());
  const doomed = [...names].filter((name) => existing.has(name));
  if (doomed.length > 0) await ip(doomed.map((name) => `netns del ${name}`));
}

/**
 * These namespaces and all that are connected to them by cables, over any number of steps: the lab's own, and whatever
 * an agent or a user has plugged into its hosts.
 */
export async function connectedNamespaces(start: Iterable<string>): Promise<Set<string>> {
  const existing = new Set(namespaces());
  const found = new Set<string>();
  let frontier = [...start].filter((name) => existing.has(name));
  while (frontier.length > 0) {
    for (const name of frontier) found.add(name);
    const links = await Promise.all(frontier.map((name) => run('ip', ['-n', name, 'link', 'show', 'type', 'veth'])));
    const names = links.flatMap((text) => [...text.matchAll(/link-netns (\S+)/g)].map(([, name]) => name!));
    frontier = [...new Set(names)].filter((name) => !found.has(name) && existing.has(name));
  }
  return found;
}

/** Refuses to start where namespaces of these names exist: they belong to somebody else. */
export function refuseExisting(lab: string, names: readonly string[]): void {
  const existing = namespaces().filter((name) => names.includes(name));
  if (existing.length === 0) return;
  const remedy = `ip netns del ${existing[0]}, or choose another name with --lab`;
  throw new LabError('exists', `lab ${lab}: network namespace ${existing.join(', ')} exists already: ${remedy}`);
}

/** Pulls a VM's cable out of its host at once (the end of a namespace takes its time). What is absent is no error. */
export async function removeCable({ namespace, port }: { namespace: string; port: string }): Promise<void> {
  const present = await run('ip', ['-n', namespace, '-o', 'link', 'show', 'type', 'veth']);
  if (present.includes(` ${port}@`)) await ip([`link del ${port}`], { namespace });
}
