/** What agents' sandboxes are on this machine, piece by piece: nothing but what is wanted, nothing twice, nothing left. */
import { existsSync, readdirSync } from 'node:fs';
import { createNaming } from '../../src/agent/names.ts';
import { commandLine, parentOf, pidsIn, pidsUsing, run } from '../../src/lab/process.ts';
import { namespaces } from '../../src/lab/wiring.ts';
import { until } from './until.ts';
import { OUR_COOKIE, type World } from './world.ts';

const PLACEMENTS = ['namespace', 'container', 'vm'] as const;
type Outside = (typeof PLACEMENTS)[number];
const PIECES = ['namespace', 'cable', 'port', 'folder', 'haproxy', 'container', 'qemu', 'cgroup'] as const;
type Piece = (typeof PIECES)[number];

/** What a whole sandbox has. A cgroup comes with limits only. */
const WHOLE: Readonly<Record<Outside, readonly Piece[]>> = {
  namespace: ['namespace', 'cable', 'port', 'folder', 'haproxy'],
  container: ['namespace', 'cable', 'port', 'folder', 'haproxy', 'container'],
  vm: ['cable', 'port', 'folder', 'qemu'],
};
const CGROUPS = ['/sys/fs/cgroup/hostlb', '/sys/fs/cgroup/cpu/hostlb', '/sys/fs/cgroup/memory/hostlb'];

const folder = (world: World, host: string): string => `${world.lab.paths.host(host)}/agent`;
const listed = (path: string): string[] => (existsSync(path) ? readdirSync(path) : []);

/** How names of a host's sandboxes end: it tells hosts of this machine, and placements, apart. */
function suffixesOf(world: World, host: string): Map<string, Outside> {
  const suffix = (placement: Outside) => createNaming({ host, runDir: folder(world, host), placement }).suffix;
  return new Map(PLACEMENTS.map((placement) => [suffix(placement), placement]));
}

/** QEMU's processes, by the name of the machine that each is. */
export function qemus(): ReadonlyMap<string, number> {
  return new Map(
    listed('/proc').flatMap((entry) => {
      const words = /^\d+$/.test(entry) ? commandLine(Number(entry)) : [];
      const name = /^guest=([^,]+)/.exec(words[words.indexOf('-name') + 1] ?? '')?.[1];
      return name !== undefined && words[0]!.includes('qemu-system') ? [[name, Number(entry)] as const] : [];
    }),
  );
}

const guests = (): string[] => [...qemus().keys()];

/** Without podman there is no container. */
export const containers = async (): Promise<string[]> =>
  (await run('podman', ['ps', '--all', '--format', '{{.Names}}']).catch(() => '')).split('\n').filter(Boolean);

/** HAProxy's processes of a namespace that no other one there has started: one, if all is well. */
function masters(namespace: string): number[] {
  const pids = pidsIn([namespace]);
  return pids.filter((pid) => commandLine(pid)[0]?.endsWith('haproxy') && !pids.includes(parentOf(pid) ?? 0));
}

/** Pieces of a host's sandboxes, as `PLACEMENT KEY` with their kinds, each as often as it is there. */
async function piecesOn(world: World, host: string): Promise<Map<string, Piece[]>> {
  const suffixes = suffixesOf(world, host);
  const [links, ports, containerNames] = await Promise.all([
    world.sh(host, 'ip', '-o', 'link', 'show'),
    world.sh(host, 'ovs-vsctl', 'list-ports', 'br-int'),
    containers(),
  ]);
  const cables = [...links.matchAll(/^\d+: (hlb[^@:]+)/gm)].map(([, name]) => name!);
  const names: Readonly<Record<Piece, readonly string[]>> = {
    namespace: namespaces(),
    cable: cables,
    port: ports.split('\n'),
    folder: listed(folder(world, host)),
    haproxy: namespaces().flatMap((name) => (suffixes.has(suffixIn(name)) ? masters(name).map(() => name) : [])),
    container: containerNames,
    qemu: guests(),
    cgroup: [...new Set(CGROUPS.flatMap(listed))],
  };
  const found = new Map<string, Piece[]>();
  for (const piece of PIECES) {
    for (const name of names[piece]) {
      const placement = suffixes.get(suffixIn(name));
      const key = /^hlb([0-9a-z]+)-/.exec(name)?.[1] ?? /-(\d+)-[0-9a-z]{5}$/.exec(name)?.[1];
      if (placement === undefined || key === undefined) continue;
      const id = `${placement} ${name.startsWith('hlb') ? Number.parseInt(key, 36) : Number(key)}`;
      found.set(id, [...(found.get(id) ?? []), piece]);
    }
  }
  return found;
}

const suffixIn = (name: string): string => name.slice(name.lastIndexOf('-') + 1);

/** Sandboxes that are plugged into a host's switch: whose they are, by `PLACEMENT KEY`. */
async function pluggedOn(world: World, host: string): Promise<Map<string, string>> {
  const suffixes = suffixesOf(world, host);
  const text = await world.sh(host, 'ovs-vsctl', '--format=json', '--columns=name,external_ids', 'list', 'Interface');
  const rows = (JSON.parse(text) as { data: [string, ['map', [string, string][]]][] }).data;
  return new Map(
    rows.flatMap(([name, [, pairs]]) => {
      const placement = suffixes.get(suffixIn(name));
      const ids = new Map(pairs);
      const whose = ids.get('hostlb-balancer') ?? ids.get('hostlb-vm');
      if (placement === undefined || whose === undefined) return [];
      return [[`${placement} ${Number.parseInt(name.slice(3), 36)}`, whose] as const];
    }),
  );
}

/** What is wrong with a host's sandboxes, given who should be there; empty when nothing is. */
async function wrongOn(world: World, host: string): Promise<string[]> {
  const [pieces, plugged, balancers, vms] = await Promise.all([
    piecesOn(world, host),
    pluggedOn(world, host),
    world.balancers(),
    world.vmList(),
  ]);
  const here = balancers.filter((row) => row.host === host);
  const machines = vms.filter((vm) => vm.host === host && vm.kind !== null);
  const wanted = [
    ...here.filter(({ placement }) => placement !== 'switch').map((row) => `${row.placement} ${row.loadbalancer_id}`),
    ...machines.map(({ kind, name }) => `${kind} ${name}`),
  ].sort();
  const whose = (id: string): string => `${id.split(' ')[0]} ${plugged.get(id)}`;
  const present = [...pieces.keys()].map(whose).sort();
  const wrong = present.join() === wanted.join() ? [] : [`wanted ${wanted.join()}; there are ${present.join()}`];
  for (const [id, kinds] of pieces) {
    const having = kinds.filter((piece) => piece !== 'cgroup').join();
    const isMachine = !plugged.has(id) || machines.some(({ name }) => name === plugged.get(id));
    if (!isMachine && having !== WHOLE[id.split(' ')[0] as Outside].join()) wrong.push(`${id} has ${having}`);
  }
  if (here.length === 0) {
    const flows = await world.flows(host, OUR_COOKIE);
    const groups = await world.sh(host, 'ovs-ofctl', '-O', 'OpenFlow15', 'dump-groups', 'br-int');
    const meters = await world.sh(host, 'ovs-ofctl', '-O', 'OpenFlow15', 'dump-meters', 'br-int');
    wrong.push(...meters.split('\n').filter((line) => line.includes('meter=')));
    wrong.push(...flows, ...groups.split('\n').filter((line) => line.includes('group_id=')));
  }
  return wrong.map((line) => `${host}: ${line}`);
}

/**
 * Asserts, as soon as what is under way has arrived, that hosts have a whole sandbox of each balancer that the state
 * database has on them, and no piece of another one; and that hosts without balancers have no flow and no group of ours.
 */
export async function nothingLeft(world: World, hosts: readonly string[] = world.hosts): Promise<void> {
  let wrong: readonly string[] = [];
  await until(
    async () => {
      wrong = (await Promise.all(hosts.map((host) => wrongOn(world, host)))).flat();
      return wrong.length === 0;
    },
    { what: () => `sandboxes as wanted, and nothing else:\n${wrong.join('\n')}` },
  );
}

/** Deletes every load balancer, and asserts that nothing of them is left. */
export async function clearAway(world: World): Promise<void> {
  const { loadbalancers } = await world.get<{ loadbalancers: { id: string }[] }>('/v2/lbaas/loadbalancers');
  for (const { id } of loadbalancers) {
    await world.client.request('DELETE', `/v2/lbaas/loadbalancers/${id}?cascade=true`);
  }
  await nothingLeft(world);
}

/** What remains on the machine of a lab that is down, its sandboxes included; empty when nothing does. */
export async function machineLeftovers(world: World): Promise<string[]> {
  const { lab, hosts } = world;
  const suffixes = new Set(hosts.flatMap((host) => [...suffixesOf(world, host).keys()]));
  const isOurs = (name: string): boolean => suffixes.has(suffixIn(name)) || name.startsWith(`${lab.name}-`);
  const links = [...(await run('ip', ['-o', 'link']).catch(() => '')).matchAll(/^\d+: ([^@:]+)/gm)].map(
    ([, name]) => name!,
  );
  return [
    ...namespaces().filter(isOurs),
    ...links.filter(isOurs),
    ...(await containers()).filter(isOurs),
    ...guests().filter(isOurs),
    ...CGROUPS.flatMap(listed).filter(isOurs),
    ...pidsUsing(lab.paths.dir).map((pid) => `process ${pid}: ${commandLine(pid).join(' ')}`),
    ...(existsSync(lab.paths.dir) ? [lab.paths.dir] : []),
  ];
}
