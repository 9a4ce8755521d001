import type { ObservedPort } from '../../controller/view.ts';
import { findNetwork } from '../../model/lookup.ts';
import { isServedTo, type Neighbourhood } from '../../model/neighbours.ts';
import type { Model, RegisteredPort, VirtualMachine } from '../../model/types.ts';
import { ApiError, shorten } from '../errors.ts';
import { object, text } from '../fields.ts';
import { listAnswer, showAnswer } from '../query.ts';
import { vm } from '../resources/own.ts';
import type { VmJson } from '../resources.ts';
import { type Answer, type Call, param, type Route } from '../route.ts';
import { parseBody } from '../validate.ts';

export const vmPut = object({ iface_id: text.optional(), name: text.optional(), owner: text.optional() });

/** Every VM port that a host shows, and every machine of ours and registered port that none shows, as far as the caller may see them. */
export function vmsOf({ model, view, mayReach }: Pick<Call, 'model' | 'view' | 'mayReach'>): readonly VmJson[] {
  const seen = view.ports();
  const seenIds = new Set(seen.map((port) => port.ifaceId));
  const machines = [...model.virtualMachines.values()].filter(({ id }) => !seenIds.has(id));
  const absent = [...model.ports.values()].filter(
    ({ ifaceId }) => !seenIds.has(ifaceId) && !model.virtualMachines.has(ifaceId),
  );
  return [
    ...seen.map((port) => observedJson(port, model)),
    ...machines.map((machine) => absentMachineJson(machine, model)),
    ...absent.map(absentJson),
  ].filter(({ owner }) => mayReach(owner));
}

function observedJson(port: ObservedPort, model: Model): VmJson {
  const registered = model.ports.get(port.ifaceId);
  const machine = model.virtualMachines.get(port.ifaceId);
  const network = port.network === undefined ? undefined : findNetwork(model, port.network);
  const serves = port.state === 'client' && network !== undefined;
  return {
    ...{ id: port.ifaceId, iface_id: port.ifaceId },
    name: machine?.name ?? registered?.name ?? '',
    host: port.host,
    network: network?.name ?? null,
    owner: port.owner,
    mac: port.mac ?? null,
    vm_id: port.vmId ?? null,
    registered: registered !== undefined,
    ...machineJson(machine),
    ...stateOf(machine, { state: port.state, reason: port.reason ?? '' }),
    client_of: serves ? loadBalancersFor(model, { host: port.host, networkId: network.id, owner: port.owner }) : [],
  };
}

type State = Pick<VmJson, 'state' | 'reason'>;

/** A machine that is not as it should be says so itself; otherwise its port tells. */
function stateOf(machine: VirtualMachine | undefined, port: State): State {
  return machine === undefined || machine.state === 'ready' ? port : { state: machine.state, reason: machine.error };
}

/** What is known of machines of ours only. */
function machineJson(machine: VirtualMachine | undefined) {
  return {
    kind: machine?.kind ?? null,
    addresses: machine?.addresses ?? [],
    serve_port: machine?.servePort ?? null,
    vcpus: machine?.vcpus ?? null,
    memory_mib: machine?.memoryMib ?? null,
    image: machine?.image ?? null,
  };
}

function loadBalancersFor(model: Model, where: Neighbourhood): readonly string[] {
  return [...model.loadBalancers.values()]
    .filter((loadBalancer) => isServedTo(loadBalancer, where))
    .map((lb) => (lb.name === '' ? lb.id : lb.name))
    .sort();
}

const UNSEEN = 'no connected host has a port with this iface-id';

function absentMachineJson(machine: VirtualMachine, { hosts }: Model): VmJson {
  const { id, name, hostId, network, owner, mac } = machine;
  return {
    ...{ id, iface_id: id, name, host: hosts.get(hostId)?.name ?? null, network: network.name, owner, mac, vm_id: id },
    registered: false,
    ...machineJson(machine),
    ...stateOf(machine, { state: 'absent', reason: UNSEEN }),
    client_of: [],
  };
}

function absentJson(port: RegisteredPort): VmJson {
  return {
    ...{ id: port.ifaceId, iface_id: port.ifaceId },
    name: port.name,
    host: null,
    network: null,
    owner: port.owner,
    mac: null,
    vm_id: null,
    registered: true,
    ...machineJson(undefined),
    ...{ state: 'absent', reason: UNSEEN },
    client_of: [],
  };
}

function list(call: Call): Answer {
  return listAnswer(call, vmsOf(call), { plural: 'vms', of: vm, order: ['iface_id'] });
}

/** By iface-id; a name or VM id that is unique will do too. Throws ApiError 404. */
export function findVm(call: Pick<Call, 'model' | 'view' | 'mayReach'>, wanted: string): VmJson {
  const vms = vmsOf(call);
  const vm =
    vms.find((candidate) => candidate.iface_id === wanted) ??
    vms.find((candidate) => candidate.name === wanted || candidate.vm_id === wanted);
  if (vm === undefined) throw new ApiError(404, `VM ${shorten(wanted)} not found.`);
  return vm;
}

function show(call: Call): Answer {
  return showAnswer(call, 'vm', findVm(call, param(call, 'iface')));
}

async function put(call: Call): Promise<Answer> {
  const ifaceId = param(call, 'iface');
  const body = parseBody(vmPut, call.body, { root: 'vm' });
  if (body.iface_id !== undefined && body.iface_id !== ifaceId) {
    throw new ApiError(400, `Validation failure: iface_id must be '${shorten(ifaceId)}', as in the path`);
  }
  if (call.model.virtualMachines.has(ifaceId)) {
    throw new ApiError(409, `VM ${ifaceId} is hostlb's own: name and owner are what it was created with`);
  }
  const existed = call.model.ports.has(ifaceId);
  const { generation } = await call.store.putPort({ ifaceId, name: body.name, owner: body.owner });
  return { status: existed ? 200 : 201, generation, body: { vm: findVm(call, ifaceId) } };
}

export const vmRoutes: readonly Route[] = [
  { method: 'GET', path: '/vms', answer: list },
  { method: 'GET', path: '/vms/:iface', answer: show },
  { method: 'PUT', path: '/vms/:iface', answer: put },
];
