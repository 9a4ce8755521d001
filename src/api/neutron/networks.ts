/**
 * A likeness of Neutron's networks and subnets: OpenStack clients look up there what they then name as `vip_network_id` or
 * `vip_subnet_id`. Administrators make them there, too; what hostlb has nothing for may be said as it is.
 */
import { z } from 'zod';
import { familyOf, parseCidr } from '../../model/addresses.ts';
import { isUnbound } from '../../model/foreign-networks.ts';
import { LIMITS } from '../../model/limits.ts';
import { findNetwork } from '../../model/lookup.ts';
import type { Model, Network } from '../../model/types.ts';
import { ApiError, invalidField, shorten } from '../errors.ts';
import { choice, flag, integer, listOf, object, text } from '../fields.ts';
import { listAnswer, showAnswer } from '../query.ts';
import { network, subnet } from '../resources/openstack.ts';
import { type Answer, type Call, param, type Route } from '../route.ts';
import { parseBody } from '../validate.ts';
import { findSubnet, type Subnet, subnetId, subnetsIn } from './subnets.ts';

/** An attribute that has one value here. */
const only = (value: string | boolean | null) =>
  z.literal(value, `Value should be ${value}, as it always is here`).nullish();
const none = listOf(z.unknown()).max(0, 'Value should be empty, as it always is here').nullish();

const ofNobody = { project_id: only(''), tenant_id: only(''), description: only('') };

export const networkCreate = object({
  ...ofNobody,
  name: text.min(1, 'Value should not be empty'),
  admin_state_up: only(true),
  shared: flag.nullish(),
  'router:external': only(false),
  'provider:network_type': choice(['flat', 'vlan']).nullish(),
  'provider:segmentation_id': integer(1, LIMITS.maxVlan).nullish(),
});

export const subnetCreate = object({
  ...ofNobody,
  network_id: text,
  cidr: text,
  name: text.nullish(),
  ip_version: integer(4, 6).nullish(),
  gateway_ip: only(null),
  enable_dhcp: flag.nullish(),
  allocation_pools: none,
  dns_nameservers: none,
  host_routes: none,
});

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
    name: network.subnetNames[cidr] ?? `${network.name}-${cidr}`,
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
  return listAnswer(call, [...call.model.networks.values()].map(networkJson), { plural: 'networks', of: network });
}

function listSubnets(call: Call): Answer {
  return listAnswer(call, [...subnetsIn(call.model)].map(subnetJson), { plural: 'subnets', of: subnet });
}

function requireNetwork(model: Model, id: string): Network {
  const found = findNetwork(model, id);
  if (found === undefined) throw new ApiError(404, `Network ${shorten(id)} could not be found.`);
  return found;
}

function requireSubnet(model: Model, id: string): Subnet {
  const found = findSubnet(model, id);
  if (found === undefined) throw new ApiError(404, `Subnet ${shorten(id)} could not be found.`);
  return found;
}

const showNetwork = (call: Call, id: string): Answer =>
  showAnswer(call, 'network', networkJson(requireNetwork(call.model, id)));

const showSubnet = (call: Call, id: string): Answer =>
  showAnswer(call, 'subnet', subnetJson(requireSubnet(call.model, id)));

/** Its subnets come afterwards. Unless it says its VLAN, or that it is flat, it gets one that is free. */
async function createNetwork(call: Call): Promise<Answer> {
  const body = parseBody(networkCreate, call.body, { root: 'network' });
  const { name, 'provider:network_type': type, 'provider:segmentation_id': id } = body;
  if (type === 'flat' && id) throw invalidField('provider:segmentation_id', id, 'A flat network has none');
  const vlan = type === 'flat' ? 0 : (id ?? undefined);
  const written = await call.store.createNetwork({ name, vlan, subnets: [] });
  return { ...showNetwork(call, written.id), status: 201, generation: written.generation };
}

async function removeNetwork(call: Call): Promise<Answer> {
  const { id } = requireNetwork(call.model, param(call, 'id'));
  const { generation } = await call.store.deleteNetwork(id);
  return { status: 204, generation };
}

async function createSubnet(call: Call): Promise<Answer> {
  const body = parseBody(subnetCreate, call.body, { root: 'subnet' });
  const { id } = requireNetwork(call.model, body.network_id);
  const { text: cidr, family } = parseCidr(body.cidr);
  if (body.ip_version && body.ip_version !== family) {
    throw invalidField('ip_version', body.ip_version, `Value should be ${family}, as cidr has it`);
  }
  const { generation } = await call.store.addSubnet(id, cidr, body.name ?? '');
  return { ...showSubnet(call, subnetId(id, cidr)), status: 201, generation };
}

async function removeSubnet(call: Call): Promise<Answer> {
  const { network, cidr } = requireSubnet(call.model, param(call, 'id'));
  const { generation } = await call.store.removeSubnet(network.id, cidr);
  return { status: 204, generation };
}

export const networkRoutes: readonly Route[] = [
  { method: 'GET', path: '/networks', answer: listNetworks },
  { method: 'POST', path: '/networks', answer: createNetwork },
  { method: 'GET', path: '/networks/:id', answer: (call) => showNetwork(call, param(call, 'id')) },
  { method: 'DELETE', path: '/networks/:id', answer: removeNetwork },
  { method: 'GET', path: '/subnets', answer: listSubnets },
  { method: 'POST', path: '/subnets', answer: createSubnet },
  { method: 'GET', path: '/subnets/:id', answer: (call) => showSubnet(call, param(call, 'id')) },
  { method: 'DELETE', path: '/subnets/:id', answer: removeSubnet },
];
