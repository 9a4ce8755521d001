/** Lookup mode `static`: the neighbour entries that are written into a VM, since nobody answers its lookups. */
import { findNetwork } from '../../model/lookup.ts';
import { staticNeighbours } from '../../model/neighbours.ts';
import { FORBIDDEN } from '../auth/policy.ts';
import { ApiError, shorten } from '../errors.ts';
import type { NeighbourJson } from '../resources.ts';
import { type Answer, type Call, param, type Route } from '../route.ts';
import { findVm } from './vms.ts';

const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i;

interface Place {
  /** The VM for messages. */
  readonly vm: string;
  /** Undefined: not known yet. */
  readonly host: string | undefined;
  readonly network: string | null;
  readonly owner: string;
  readonly mac: string | null;
}

/**
 * Where the VM is. What the query says (`network`, `owner`, `mac`) counts more than what is seen: so a VM can be asked
 * for that is yet to be made. Throws ApiError 404 for a VM that nobody knows and of which no network is said.
 */
function placeOf(call: Call): Place {
  const vm = param(call, 'iface');
  const { query } = call;
  const known = query.has('network') ? undefined : findVm(call, vm);
  const owner = query.get('owner') ?? known?.owner ?? call.caller.project ?? '';
  if (!call.mayReach(owner)) throw new ApiError(403, FORBIDDEN);
  return {
    vm: shorten(vm),
    host: known?.host ?? undefined,
    network: query.get('network') ?? known?.network ?? null,
    owner,
    mac: query.get('mac') ?? known?.mac ?? null,
  };
}

function neighboursOf({ model }: Call, { vm, host, network: name, owner }: Place): readonly NeighbourJson[] {
  if (name === null) {
    throw new ApiError(409, `VM ${vm} is in no network that is known: plug it in, or add ?network=NAME`);
  }
  const network = findNetwork(model, name);
  if (network === undefined) throw new ApiError(404, `Network ${shorten(name)} not found.`);
  return staticNeighbours(model, { host, networkId: network.id, owner }).map(({ address, mac, loadBalancerId }) => {
    const loadbalancer = model.loadBalancers.get(loadBalancerId)?.name ?? '';
    return { address, mac, loadbalancer, loadbalancer_id: loadBalancerId, network: network.name };
  });
}

function neighbours(call: Call): Answer {
  return { body: { neighbours: neighboursOf(call, placeOf(call)) } };
}

function cloudInit(call: Call): Answer {
  const place = placeOf(call);
  const { vm, mac } = place;
  if (mac === null) throw new ApiError(409, `The MAC of VM ${vm} is not known: plug it in, or add ?mac=MAC`);
  if (!MAC.test(mac)) throw new ApiError(409, `The MAC of VM ${vm} is '${shorten(mac)}', which is none`);
  return { body: cloudConfig(mac.toLowerCase(), neighboursOf(call, place)), contentType: 'text/cloud-config' };
}

/**
 * A cloud-config that writes the entries at each boot, on the interface that has the VM's MAC. An interface that is part
 * of a bond or bridge passes its MAC on to that, and the entries belong there. Lists of other parts are appended to.
 */
function cloudConfig(mac: string, entries: readonly NeighbourJson[]): string {
  const commands = entries.map(
    (entry) => `      ip neigh replace ${entry.address} lladdr ${entry.mac} dev "\${device##*/}" nud permanent`,
  );
  const script = [
    '  - |',
    '    for device in /sys/class/net/*; do',
    `      [ "$(cat "$device/address" 2>/dev/null)" = ${mac} ] || continue`,
    '      [ ! -e "$device/master" ] || continue',
    ...commands,
    '    done',
  ];
  const lines = [
    '#cloud-config',
    'merge_how: list(append)+dict(recurse_array)+str()',
    ...(commands.length === 0 ? ['bootcmd: []'] : ['bootcmd:', ...script]),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

export const neighbourRoutes: readonly Route[] = [
  { method: 'GET', path: '/vms/:iface/neighbours', answer: neighbours },
  { method: 'GET', path: '/vms/:iface/cloud-init', answer: cloudInit },
];
