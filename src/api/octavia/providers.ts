import { CAPABILITIES } from '../../model/capabilities.ts';
import { PLACEMENTS, type Placement } from '../../model/types.ts';
import { ApiError, shorten } from '../errors.ts';
import { type Call, param, type Route } from '../route.ts';

/** The placement of that name. Throws ApiError 400. */
export function requirePlacement(name: string): Placement {
  const placement = PLACEMENTS.find((candidate) => candidate === name);
  if (placement === undefined) throw new ApiError(400, `Provider '${shorten(name)}' is not enabled.`);
  return placement;
}

/** What a flavor profile's `flavor_data` may say for which placements. */
const FLAVOR_CAPABILITIES: readonly {
  readonly name: string;
  readonly description: string;
  readonly placements: readonly Placement[];
}[] = [
  {
    name: 'vcpus',
    description: 'CPUs of a balancer; fractions for namespaces and containers',
    placements: ['namespace', 'container', 'vm'],
  },
  { name: 'memory_mib', description: 'Memory of a balancer in MiB', placements: ['namespace', 'container', 'vm'] },
  {
    name: 'image',
    description: 'Container: an image reference. VM: path of an image or initramfs on the host',
    placements: ['container', 'vm'],
  },
  { name: 'kernel', description: 'Path of a kernel on the host', placements: ['vm'] },
  {
    name: 'max_connections',
    description: 'Concurrent connections of a balancer',
    placements: ['namespace', 'container', 'vm'],
  },
];

/** Objects reduced to the wanted `fields`. */
function projected<T extends object>({ query }: Call, objects: readonly T[]): readonly Partial<T>[] {
  const wanted = query.getAll('fields').flatMap((field) => field.split(','));
  if (wanted.length === 0) return objects;
  const pick = (object: T) => Object.fromEntries(Object.entries(object).filter(([key]) => wanted.includes(key)));
  return objects.map((object) => pick(object) as Partial<T>);
}

function list(call: Call) {
  const providers = PLACEMENTS.map((name) => ({ name, description: CAPABILITIES[name].description }));
  return { body: { providers: projected(call, providers) } };
}

function flavorCapabilities(call: Call) {
  const placement = requirePlacement(param(call, 'provider'));
  const own = FLAVOR_CAPABILITIES.filter(({ placements }) => placements.includes(placement));
  const capabilities = own.map(({ name, description }) => ({ name, description }));
  return { body: { flavor_capabilities: projected(call, capabilities) } };
}

function zoneCapabilities(call: Call) {
  requirePlacement(param(call, 'provider'));
  const hosts = { name: 'hosts', description: 'Names of the hosts that run balancers' };
  return { body: { availability_zone_capabilities: projected(call, [hosts]) } };
}

export const providerRoutes: readonly Route[] = [
  { method: 'GET', path: '/lbaas/providers', answer: list },
  { method: 'GET', path: '/lbaas/providers/:provider/flavor_capabilities', answer: flavorCapabilities },
  { method: 'GET', path: '/lbaas/providers/:provider/availability_zone_capabilities', answer: zoneCapabilities },
];
