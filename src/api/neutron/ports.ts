/** A likeness of Neutron's ports: those of VMs as hosts show them, and one for each VIP (`vip_port_id`). */
import { findNetwork } from '../../model/lookup.ts';
import type { LoadBalancer, Network } from '../../model/types.ts';
import { vipMac } from '../../model/vip-mac.ts';
import { ApiError, shorten } from '../errors.ts';
import { derivedId } from '../octavia/common.ts';
import { vmsOf } from '../own/vms.ts';
import { listAnswer, showAnswer } from '../query.ts';
import { port } from '../resources/openstack.ts';
import type { PortJson, VmJson } from '../resources.ts';
import { type Answer, type Call, param, type Route } from '../route.ts';
import { subnetIdOf } from './subnets.ts';

const UUID = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i;

/** The id of the port that stands for a VIP. */
export function vipPortId(loadBalancerId: string, vip: string): string {
  return derivedId(`port:${loadBalancerId}:${vip}`);
}

const fixedIps = (network: Network, addresses: readonly string[]) =>
  addresses.map((address) => ({ subnet_id: subnetIdOf(network, address), ip_address: address }));

const always = { admin_state_up: true, security_groups: [], description: '' };

function vipPorts({ id, network, vips, owner, adminStateUp }: LoadBalancer): readonly PortJson[] {
  return vips.map((vip) => ({
    ...{ ...always, id: vipPortId(id, vip), name: `octavia-lb-${id}`, network_id: network.id },
    ...{ device_id: `lb-${id}`, device_owner: 'Octavia', mac_address: vipMac(id), fixed_ips: fixedIps(network, [vip]) },
    ...{ status: adminStateUp ? 'ACTIVE' : 'DOWN', project_id: owner, tenant_id: owner, 'binding:host_id': '' },
  }));
}

/** In OpenStack, an iface-id is the id of Neutron's port. */
function vmPort(vm: VmJson, network: Network): PortJson {
  const id = UUID.test(vm.iface_id) ? vm.iface_id.toLowerCase() : derivedId(`vm-port:${vm.iface_id}`);
  return {
    ...{ ...always, id, name: vm.name || vm.iface_id, network_id: network.id, device_id: vm.vm_id ?? '' },
    ...{ device_owner: 'compute:hostlb', mac_address: vm.mac ?? '', fixed_ips: fixedIps(network, vm.addresses) },
    ...{ status: vm.state === 'client' ? 'ACTIVE' : 'DOWN', project_id: vm.owner, tenant_id: vm.owner },
    'binding:host_id': vm.host ?? '',
  };
}

function ports(call: Call): readonly PortJson[] {
  const { model } = call;
  const ofVms = vmsOf(call).flatMap((vm) => {
    const network = vm.network === null ? undefined : findNetwork(model, vm.network);
    return network === undefined ? [] : [vmPort(vm, network)];
  });
  return [...[...model.loadBalancers.values()].flatMap(vipPorts), ...ofVms];
}

/** `?fixed_ips=ip_address=10.0.0.100`, as Neutron has it. */
function hasFixedIp(item: object, wanted: string): boolean {
  const [key = '', value] = wanted.split('=');
  return (item as PortJson).fixed_ips.some(
    (one) => (key === 'ip_address' || key === 'subnet_id') && one[key] === value,
  );
}

function list(call: Call): Answer {
  return listAnswer(call, ports(call), {
    plural: 'ports',
    of: port,
    order: ['name'],
    references: { fixed_ips: hasFixedIp },
  });
}

function show(call: Call): Answer {
  const id = param(call, 'id');
  const found = ports(call).find((one) => one.id === id);
  if (found === undefined) throw new ApiError(404, `Port ${shorten(id)} could not be found.`);
  return showAnswer(call, 'port', found);
}

export const portRoutes: readonly Route[] = [
  { method: 'GET', path: '/ports', answer: list },
  { method: 'GET', path: '/ports/:id', answer: show },
];
