/** Which objects contribute to a host's switch, and what each of them depends on. */
import type { LoadBalancer, Member, Network } from '../model/types.ts';
import { balancerContribution } from './balancer.ts';
import type { Contribution } from './contribution.ts';
import {
  hostContribution,
  neighbourContribution,
  networkContribution,
  portContribution,
  serviceContribution,
  strayContribution,
  uplinkContribution,
} from './objects.ts';
import type { BalancerView, HostView } from './view.ts';
import { addressesOf, isTracked, liveListeners, wayOf } from './ways.ts';

/** One object that contributes flows and groups. */
export interface Planned {
  /** Names the object within the host. */
  readonly id: string;
  /** Values that `compute` uses; compared by identity. */
  readonly dependencies: readonly unknown[];
  /** Given where `compute` depends on nothing of the host, so that hosts with equal dependencies may share the result. */
  readonly sharedBy?: object;
  compute(): Contribution;
}

/** Objects that come and go together. Several plans may have an object in common, and agree about it then. */
export interface Plan {
  readonly id: string;
  /** All that `objects` depends on; compared by identity. While it stays the same the objects need not be looked at. */
  readonly signature: readonly unknown[];
  /** Each id once. */
  objects(): Iterable<Planned>;
}

/** The plans of the view. Without balancers there are none: no balancer, no flow. */
export function* planHost(view: HostView): Generator<Plan, void> {
  for (const ofport of view.strays) {
    yield single({ id: `stray ${ofport}`, dependencies: [], compute: () => strayContribution(ofport) });
  }
  if (view.balancers.length === 0) return;
  const { hostId } = view;
  yield single({ id: 'host', dependencies: [hostId], compute: () => hostContribution(hostId) });
  const networks = new Map(view.balancers.map(({ loadBalancer: { network } }) => [network.id, network]));
  const plugged = view.balancers.filter(({ plug }) => plug !== undefined);
  const sandboxed = new Set(plugged.map(({ loadBalancer }) => loadBalancer.network.id));
  for (const network of networks.values()) {
    for (const planned of planNetwork(view, network, sandboxed.has(network.id))) yield single(planned);
  }
  for (const balancer of view.balancers) {
    yield planBalancer(view, balancer, { sandboxes: sandboxed.has(balancer.loadBalancer.network.id) });
  }
}

function single(planned: Planned): Plan {
  return { id: planned.id, signature: planned.dependencies, objects: () => [planned] };
}

function* planNetwork(view: HostView, network: Network, sandboxes: boolean): Generator<Planned, void> {
  const ports = view.ports.filter((port) => port.network.id === network.id);
  for (const port of ports) {
    yield {
      id: `port ${port.ofport}`,
      dependencies: [port.mac, port.ownerKey, network.key],
      compute: () => portContribution(port),
    };
  }
  for (const uplink of view.uplinks) {
    if (uplink.tag !== undefined && uplink.tag !== network.vlan) continue;
    yield {
      id: `uplink ${network.key} ${uplink.ofport}`,
      dependencies: [network.vlan, uplink.tag],
      compute: () => uplinkContribution(network, uplink),
    };
  }
  if (!sandboxes) return;
  const addresses = view.addresses(network.id);
  const ofports = ports.map((port) => port.ofport).sort((a, b) => a - b);
  yield {
    id: `network ${network.key}`,
    dependencies: [addresses.join(), ofports.join()],
    compute: () => networkContribution(network, view.hostId, addresses, ofports),
  };
}

function planBalancer(view: HostView, balancer: BalancerView, { sandboxes }: { readonly sandboxes: boolean }): Plan {
  const { loadBalancer, ownerKey, plug, state } = balancer;
  const { network } = loadBalancer;
  const mac = (address: string) => view.neighbour(network.id, address);
  const addresses = plug === undefined ? [] : view.addresses(network.id);
  const macs = memberAddresses(loadBalancer).map(mac);
  const own = [loadBalancer, ownerKey, plug, state, addresses.join()];
  const id = `load_balancer ${loadBalancer.key}`;
  return {
    id,
    signature: [...own, sandboxes, ...macs],
    objects() {
      // For the balancer's own flows only whether a member can be reached counts; its MAC is the neighbour's business.
      const reachable = macs.map((known) => (known === undefined ? '0' : '1')).join('');
      const isReachable = (address: string) => mac(address) !== undefined;
      const compute = () => balancerContribution(balancer, { hostId: view.hostId, addresses, isReachable });
      const shared = loadBalancer.placement === 'switch' ? { sharedBy: loadBalancer } : {};
      const objects = new Map<string, Planned>([[id, { id, dependencies: [...own, reachable], compute, ...shared }]]);
      for (const listener of liveListeners(loadBalancer)) {
        const tracked = isTracked(wayOf(balancer, listener));
        if (!tracked && plug === undefined) continue;
        for (const member of listener.defaultPool.members) {
          for (const address of addressesOf(member)) addNeighbour(objects, network, address, mac(address), sandboxes);
          if (tracked) addService(objects, network, member);
        }
      }
      return objects.values();
    },
  };
}

/** Load balancers are looked at far more often than they change. */
const knownAddresses = new WeakMap<LoadBalancer, readonly string[]>();

/** Where members of listeners are spoken to, each address once or more. */
function memberAddresses(loadBalancer: LoadBalancer): readonly string[] {
  const known = knownAddresses.get(loadBalancer);
  if (known !== undefined) return known;
  const all = liveListeners(loadBalancer).flatMap(({ defaultPool }) => defaultPool.members.flatMap(addressesOf));
  knownAddresses.set(loadBalancer, all);
  return all;
}

function addNeighbour(
  objects: Map<string, Planned>,
  network: Network,
  address: string,
  mac: string | undefined,
  sandboxes: boolean,
): void {
  objects.set(`neighbour ${network.key} ${address}`, {
    id: `neighbour ${network.key} ${address}`,
    dependencies: [mac, sandboxes],
    compute: () => neighbourContribution(network, address, mac, { sandboxes }),
  });
}

function addService(objects: Map<string, Planned>, network: Network, { address, protocolPort: port }: Member): void {
  const id = `service ${network.key} ${address} ${port}`;
  objects.set(id, { id, dependencies: [], compute: () => serviceContribution(network, address, port) });
}
