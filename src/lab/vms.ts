import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { checkAddresses, nextFree, withPrefix } from './addresses.ts';
import { hostIn, type LabContext, present, switchOf, vmIn, withHost } from './context.ts';
import { machineAddresses, neighboursOf } from './controller-knowledge.ts';
import { LabError } from './errors.ts';
import { checkName, hostNamespace, macOf, portName, vmIdOf, vmNamespace } from './names.ts';
import { inside, kill, pidsIn } from './process.ts';
import type { LabState, VmRecord } from './state.ts';
import { type Plug, requireRunning } from './switch.ts';
import { type LabNetwork, MAC_PATTERN, type VmRequest } from './topology.ts';
import { createVmNetwork, deleteNamespaces, moveCable, removeCable } from './wiring.ts';

function networkIn(state: LabState, name: string | undefined): LabNetwork {
  const network = name === undefined ? state.networks[0] : state.networks.find((candidate) => candidate.name === name);
  if (network !== undefined) return network;
  const names = state.networks.map((candidate) => candidate.name).join(', ');
  throw new LabError('not_found', `no network "${name}" in lab ${state.lab}: there are ${names}`);
}

/** Fills in what a request leaves open; `machines` are addresses that are taken beside those of the lab's VMs. Throws where it cannot be had. */
export function resolveVm(
  state: LabState,
  request: VmRequest,
  machines: ReadonlyMap<string, string> = new Map(),
): VmRecord {
  const name = checkName('VM', request.name);
  if ([...state.vms, ...state.hosts].some((other) => other.name === name)) {
    throw new LabError('exists', `VM ${name}: lab ${state.lab} has a VM or host of that name`);
  }
  hostIn(state, request.host);
  const network = networkIn(state, request.network);
  const mac = (request.mac ?? macOf(name)).toLowerCase();
  if (!MAC_PATTERN.test(mac))
    throw new LabError('bad_address', `VM ${name}: "${request.mac}" is not a unicast MAC address`);
  const twin = state.vms.find((other) => other.mac === mac);
  if (twin !== undefined)
    throw new LabError('exists', `VM ${name}: VM ${twin.name} has MAC ${mac}; choose another with --mac`);
  const neighbours = state.vms.filter((other) => other.network === network.name);
  const taken = new Map([
    ...machines,
    ...neighbours.flatMap((other) => other.ips.map((ip) => [ip, other.name] as const)),
  ]);
  const ips = request.ips === undefined ? nextFree(network, taken) : checkAddresses(network, request.ips, taken);
  const { host, owner, serve } = request;
  const optional = { ...(owner === undefined ? {} : { owner }), ...(serve === undefined ? {} : { serve }) };
  return { name, host, network: network.name, mac, ips, ...optional };
}

function plugOf(vm: VmRecord, { vlan }: LabNetwork): Plug {
  const owner = vm.owner === undefined ? {} : { 'hostlb-owner': vm.owner };
  const externalIds = { 'iface-id': vm.name, 'vm-id': vmIdOf(vm.name), ...owner };
  return { port: portName(vm.name), vlan, mac: vm.mac, externalIds };
}

/** Starts the VM's web server. Resolves when it listens; it lives as long as the VM. */
async function startServer({ lab }: LabContext, vm: VmRecord, port: number): Promise<void> {
  const compiled = !import.meta.url.endsWith('.ts');
  const script = fileURLToPath(new URL(compiled ? './serve-main.js' : './serve-main.ts', import.meta.url));
  const loader = compiled ? [] : ['--import', createRequire(import.meta.url).resolve('tsx')];
  const command = inside(vmNamespace(lab, vm.name), process.execPath, [...loader, script, vm.name, String(port)]);
  const server = spawn(...command, { detached: true, stdio: ['ignore', 'pipe', 'ignore'] });
  const ready = await Promise.race([once(server.stdout, 'data'), once(server, 'exit').then(() => undefined)]);
  if (ready === undefined)
    throw new LabError('command_failed', `VM ${vm.name}: its server on port ${port} did not start`);
  server.stdout.destroy();
  server.unref();
}

/** Removes what there is of a VM, however little. */
async function dismantle(context: LabContext, vm: VmRecord): Promise<void> {
  const namespace = vmNamespace(context.lab, vm.name);
  const hostSwitch = switchOf(context, vm.host);
  const port = portName(vm.name);
  if (hostSwitch.pids().ovsdbServer === undefined) {
    context.state.update((state) =>
      withHost(state, vm.host, (host) => ({ ...host, stalePorts: [...host.stalePorts, port] })),
    );
  } else {
    await hostSwitch.unplug(port);
  }
  await kill(pidsIn([namespace]));
  await removeCable({ namespace: hostNamespace(context.lab, vm.host), port });
  await deleteNamespaces([namespace]);
}

const without = (state: LabState, name: string): LabState => ({
  ...state,
  vms: state.vms.filter((vm) => vm.name !== name),
});

/** Makes a VM and plugs it in. Resolves when the switch has its port and all switches know its place. */
export async function addVm(context: LabContext, request: VmRequest): Promise<VmRecord> {
  const { lab, state } = context;
  const hostSwitch = switchOf(context, request.host);
  const before = present(context);
  const machines = await machineAddresses(before, networkIn(before, request.network).name);
  const { vms, networks } = state.update((current) => {
    const vm = resolveVm(current, request, machines);
    requireRunning(vm.host, hostSwitch);
    return { ...current, vms: [...current.vms, vm] };
  });
  const vm = vms.find(({ name }) => name === request.name)!;
  const network = networks.find(({ name }) => name === vm.network)!;
  try {
    const port = portName(vm.name);
    const addresses = vm.ips.map((ip) => withPrefix(network, ip));
    const namespace = vmNamespace(lab, vm.name);
    const neighbours = await neighboursOf(before, vm);
    const made = { namespace, hostNamespace: hostNamespace(lab, vm.host), port, mac: vm.mac, addresses, neighbours };
    await createVmNetwork(made);
    // A server that answers before its port is plugged in disturbs nobody, and starting it takes longest.
    const served = vm.serve === undefined ? undefined : startServer(context, vm, vm.serve);
    const plugged = hostSwitch.plug(plugOf(vm, network)).then(() => hostSwitch.announce({ port, ...vm }));
    const failure = (await Promise.allSettled([served, plugged])).find((result) => result.status === 'rejected');
    if (failure !== undefined) throw failure.reason;
    return vm;
  } catch (error) {
    await dismantle(context, vm).catch(() => {});
    state.update((current) => without(current, vm.name));
    throw error;
  }
}

/** Unplugs a VM and removes it with everything that runs in it. */
export async function removeVm(context: LabContext, name: string): Promise<void> {
  await dismantle(context, vmIn(present(context), name));
  context.state.update((current) => without(current, name));
}

/** A VM that has moved. */
export interface MovedVm extends VmRecord {
  /** How long no switch had its port, in milliseconds: a hypervisor would have paused the guest meanwhile. */
  readonly gapMs: number;
}

/**
 * Moves a running VM to another host, as live migration does: MAC, addresses, processes, open connections and what it
 * knows of its neighbours stay. From a stopped host, too. Resolves when the new switch has its port and all switches know
 * its new place.
 */
export async function moveVm(context: LabContext, name: string, to: string): Promise<MovedVm> {
  const { lab } = context;
  const state = present(context);
  const vm = vmIn(state, name);
  hostIn(state, to);
  if (vm.host === to) throw new LabError('wrong_state', `VM ${name}: is on host ${to} already`);
  const [source, target] = [switchOf(context, vm.host), switchOf(context, to)];
  requireRunning(to, target);
  const port = portName(name);
  const sourceLives = source.pids().ovsdbServer !== undefined;
  const beganMs = performance.now();
  if (sourceLives) await source.unplug(port);
  await moveCable({ port, from: hostNamespace(lab, vm.host), to: hostNamespace(lab, to) });
  const moved = { ...vm, host: to };
  context.state.update((current) => {
    const next = { ...current, vms: current.vms.map((other) => (other.name === name ? moved : other)) };
    if (sourceLives) return next;
    return withHost(next, vm.host, (host) => ({ ...host, stalePorts: [...host.stalePorts, port] }));
  });
  await target.plug(plugOf(moved, networkIn(state, vm.network)));
  await target.announce({ port, ...moved });
  return { ...moved, gapMs: Math.round(performance.now() - beganMs) };
}
