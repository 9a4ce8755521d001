/** What each object of a host's view contributes: one function per kind; for balancers see balancer.ts. All are pure. */
import { familyOf } from '../model/addresses.ts';
import type { Network } from '../model/types.ts';
import { balancerMac, probeMac } from '../model/vip-mac.ts';
import {
  type Contribution,
  contribution,
  floodGroup,
  rateMeter,
  type Service,
  type Unit,
  unitOf,
} from './contribution.ts';
import { clientsGroup, REJECT_METER, zonesOf } from './ids.ts';
import type { PortView, UplinkView } from './view.ts';

/** What a host needs as soon as it has one balancer. */
export function hostContribution(hostId: string): Contribution {
  return contribution('host', 0, [['host', { probe_mac: probeMac(hostId) }]]);
}

/** Connections that the controller refuses on a host in a second; the others are dropped. */
const REFUSED_PER_SECOND = 1000;

/** What a host needs that has a pool whose new connections are refused. */
export function rejectContribution(): Contribution {
  const units: Unit[] = [['reject', { meter: REJECT_METER }]];
  return contribution('host', 0, units, [], [rateMeter(REJECT_METER, REFUSED_PER_SECOND)]);
}

export function portContribution({ ofport, mac, network, ownerKey }: PortView): Contribution {
  const variables = { port: ofport, mac, network: network.key, owner: ownerKey, zone: zonesOf(network.key).service };
  return contribution('port', ofport, [['port', variables]]);
}

/** The plug of a balancer outside the switch that nobody wants here. */
export function strayContribution(ofport: number): Contribution {
  return contribution('port', ofport, [['stray', { sandbox_port: ofport }]]);
}

export function uplinkContribution(network: Network, { ofport, tag }: UplinkView): Contribution {
  const variables = { port: ofport, network: network.key, zone: zonesOf(network.key).service };
  const unit: Unit =
    network.vlan === 0 || tag !== undefined
      ? ['uplink_untagged', variables]
      : ['uplink_tagged', { ...variables, vlan: network.vlan }];
  return contribution('uplink', network.key, [unit]);
}

/** The host's own addresses toward members, and the way to all its VMs in the network. For sandboxes only. */
export function networkContribution(
  network: Network,
  hostId: string,
  addresses: readonly string[],
  ports: readonly number[],
): Contribution {
  const units = addresses.flatMap((address): readonly Unit[] => {
    const family = familyOf(address);
    const toward = { balancer_mac: balancerMac(hostId, network.id), sandbox_zone: zonesOf(network.key).sandbox };
    const variables = { network: network.key, address, ...toward };
    const guards: readonly Unit[] = network.antiSpoofing ? [[`guard_address${family}`, variables]] : [];
    return [[`address${family}`, variables], ...guards];
  });
  return contribution('network', network.key, units, [floodGroup(clientsGroup(network.key), ports)]);
}

/** An address that members have. Without a MAC it is only watched for. */
export function neighbourContribution(
  network: Network,
  address: string,
  mac: string | undefined,
  options: { readonly sandboxes: boolean },
): Contribution {
  const family = familyOf(address);
  const variables = { network: network.key, address };
  const units: Unit[] = [[`watch${family}`, variables]];
  if (mac !== undefined) units.push([`neighbour${family}`, { ...variables, mac }]);
  if (mac !== undefined && options.sandboxes) units.push([`sandbox_neighbour${family}`, { ...variables, mac }]);
  return contribution('neighbour', network.key, units);
}

/** A member's address and port, from which replies come. */
export function serviceContribution(network: Network, { address, port, transport }: Service): Contribution {
  const unit = unitOf('service', familyOf(address), transport);
  return contribution('service', network.key, [[unit, { network: network.key, address, port }]]);
}
