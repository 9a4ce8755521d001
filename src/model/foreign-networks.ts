/**
 * Networks that another system keeps (OpenStack Neutron) and of which nothing is known but the id: they have no VLAN yet,
 * so no host's port is in one, and no subnets, so any address fits.
 */
import type { Model, Network } from './types.ts';

/** VLANs from here on are none: they only keep such networks apart. */
export const UNBOUND_VLAN = 4096;

/** Whether the network has no VLAN yet. */
export function isUnbound({ vlan }: Pick<Network, 'vlan'>): boolean {
  return vlan >= UNBOUND_VLAN;
}

/** Whether nothing is known of the network. */
export function isForeign(network: Pick<Network, 'vlan' | 'subnets'>): boolean {
  return isUnbound(network) && network.subnets.length === 0;
}

/**
 * Whether ids of networks and subnets are believed unseen: as long as no administrator has said which networks there
 * are. Afterwards an unknown id is a mistake.
 */
export function believesIds({ networks }: Pick<Model, 'networks'>): boolean {
  for (const network of networks.values()) if (!isForeign(network)) return false;
  return true;
}
