import { z } from 'zod';
import { isUnbound } from '../../model/foreign-networks.ts';
import { findNetwork, requireNetwork } from '../../model/lookup.ts';
import type { NetworkSpec } from '../../model/specs.ts';
import type { Network } from '../../model/types.ts';
import { invalidField } from '../errors.ts';
import { flag, integer, listOf, object, text } from '../fields.ts';
import { listAnswer, showAnswer } from '../query.ts';
import { network } from '../resources/own.ts';
import type { NetworkJson } from '../resources.ts';
import { type Answer, type Call, param, type Route } from '../route.ts';
import { parseBody } from '../validate.ts';

const LONGEST_RANGE = 100;
const ranges = z
  .union(
    [
      z
        .string()
        .max(LONGEST_RANGE)
        .transform((range) => [range]),
      listOf(z.string().max(LONGEST_RANGE)),
    ],
    {
      error: 'Value should be a range FIRST-LAST or a list of them',
    },
  )
  .nullish();

/** A network as requests and the declarative file write it. */
export const networkShape = {
  vlan: integer(0, 4094).optional(),
  subnets: listOf(text).min(1, 'Value should have at least one element'),
  balancer_range: ranges,
  anti_spoofing: flag.optional(),
};
export const networkPut = object({ name: text.optional(), ...networkShape });

export function networkSpec(name: string, body: Omit<z.output<typeof networkPut>, 'name'>): NetworkSpec {
  const { vlan, subnets, balancer_range: ranges, anti_spoofing: antiSpoofing } = body;
  return { name, vlan, subnets, balancerRanges: ranges ?? undefined, antiSpoofing };
}

export function networkJson(network: Network): NetworkJson {
  const { id, name, vlan, subnets, balancerRanges, antiSpoofing } = network;
  const attributes = { subnets, balancer_range: balancerRanges, anti_spoofing: antiSpoofing };
  return { id, name, vlan: isUnbound(network) ? null : vlan, ...attributes };
}

function show(call: Call): Answer {
  return showAnswer(call, 'network', networkJson(requireNetwork(call.model, param(call, 'name'))));
}

function list(call: Call): Answer {
  const networks = [...call.model.networks.values()].map(networkJson);
  return listAnswer(call, networks, { plural: 'networks', of: network, order: ['name'] });
}

async function put(call: Call): Promise<Answer> {
  const existing = findNetwork(call.model, param(call, 'name'));
  const name = existing?.name ?? param(call, 'name');
  const body = parseBody(networkPut, call.body, { root: 'network' });
  requireSameName(body.name, name);
  const { id, generation } = await call.store.putNetwork(networkSpec(name, body));
  const network = networkJson(requireNetwork(call.model, id));
  return { status: existing === undefined ? 201 : 200, generation, body: { network } };
}

/** The path names the object; a body that says otherwise asks for a rename, which there is not. Throws ApiError 400. */
export function requireSameName(inBody: string | undefined, inPath: string): void {
  if (inBody !== undefined && inBody !== inPath)
    throw invalidField('name', inBody, `Value should be '${inPath}', as in the path`);
}

async function remove(call: Call): Promise<Answer> {
  const { generation } = await call.store.deleteNetwork(param(call, 'name'));
  return { status: 204, generation };
}

export const networkRoutes: readonly Route[] = [
  { method: 'GET', path: '/networks', answer: list },
  { method: 'GET', path: '/networks/:name', answer: show },
  { method: 'PUT', path: '/networks/:name', answer: put },
  { method: 'DELETE', path: '/networks/:name', answer: remove },
];
