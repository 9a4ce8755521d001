/**
 * A read-only likeness of Neutron's networks and subnets: OpenStack clients look up there what they then name as
 * `vip_network_id` or `vip_subnet_id`.
 */
import { familyOf } from '../model/addresses.ts';
import { isUnbound } from '../model/foreign-networks.ts';
import { findNetwork } from '../model/lookup.ts';
import type { Model, Network } from '../model/types.ts';
import { ApiError, shorten } from './errors.ts';
import { derivedId } from './octavia/common.ts';
import { listAnswer, showAnswer } from './query.ts';
import { network, subnet } from './resources/openstack.ts';
import { type Answer, type Call, param, type Route } from './route.ts';

export interface Subnet {
  readonly id: string;
  readonly network: Network;
  readonly cidr: string;
}

/** The id that stands for a subnet of a network, the same for ever. */
export function subnetId(networkId: string, cidr: string): string {
  return derivedId(`subnet:${networkId}:${cidr}`);
}

/** Every subnet of every network. */
export function* subnetsIn(model: Model): Generator<Subnet, void> {
  for (const network of model.networks.values()) {
    for (const cidr of network.subnets) yield { id: subnetId(network.id, cidr), network, cidr };
  }
}

export function findSubnet(model: Model, id: string): Subnet | undefined {
  for (const subnet of subnetsIn(model)) if (subnet.id === id) return subnet;
  return undefined;
}

function networkJson(network: Network) {
  return {
    id: network.id,
    name: network.name,
    status: 'ACTIVE',
    admin_state_up: true,
    shared: true,
    'router:external': false,
    'provider:network_type': isUnbound(network) ? null : network.vlan === 0 ? 'flat' : 'vlan',
    'provider:segmentation_id': isUnbound(network) || network.vlan === 0 ? null : network.vlan,
    project_id: '',
    tenant_id: '',
    subnets: network.subnets.map((cidr) => subnetId(network.id, cidr)),
  };
}

function subnetJson({ id, network, cidr }: Subnet) {
  return {
    id,
    name: `${network.name}-${cidr}`,
    network_id: network.id,
    cidr,
    ip_version: familyOf(cidr),
    gateway_ip: null,
    enable_dhcp: false,
    allocation_pools: [],
    dns_nameservers: [],
    host_routes: [],
    project_id: '',
    tenant_id: '',
  };
}

function listNetworks(call: Call): Answer {
  return listAnswer(call, [...call.model.networks.values()].map(networkJson), {
    plural: 'networks',
    of: network,
  });
}

function showNetwork(call: Call): Answer {
  const network = findNetwork(call.model, param(call, 'id'));
  if (network === undefined) throw new ApiError(404, `Network ${shorten(param(call, 'id'))} could not be found.`);
  return showAnswer(call, 'network', networkJson(network));
}

function listSubnets(call: Call): Answer {
  return listAnswer(call, [...subnetsIn(call.model)].map(subnetJson), {
    plural: 'subnets',
    of: subnet,
  });
}

function showSubnet(call: Call): Answer {
  const subnet = findSubnet(call.model, param(call, 'id'));
  if (subnet === undefined) throw new ApiError(404, `Subnet ${shorten(param(call, 'id'))} could not be found.`);
  return showAnswer(call, 'subnet', subnetJson(subnet));
}

export const neutronRoutes: readonly Route[] = [
  { method: 'GET', path: '/networks', answer: listNetworks },
  { method: 'GET', path: '/networks/:id', answer: showNetwork },
  { method: 'GET', path: '/subnets', answer: listSubnets },
  { method: 'GET', path: '/subnets/:id', answer: showSubnet },
];
