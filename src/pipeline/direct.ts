/** What members that answer their clients themselves contribute (return path `direct`): on clients' hosts and on their own. Pure. */
import { familyOf } from '../model/addresses.ts';
import { type Transport, transportOf } from '../model/transport.ts';
import type { Listener, LoadBalancer, Member } from '../model/types.ts';
import { type Contribution, contribution, unitOf } from './contribution.ts';
import { zonesOf } from './ids.ts';
import type { ResidentView } from './view.ts';

/** A VIP and a listener's port: what a member speaks as. */
export interface Front {
  readonly vip: string;
  readonly port: number;
  readonly transport: Transport;
}

/** As what a member of the load balancer speaks behind these listeners. */
export function frontsOf({ vips }: LoadBalancer, member: Member, listeners: readonly Listener[]): readonly Front[] {
  const own = vips.filter((vip) => familyOf(vip) === familyOf(member.address));
  return own.flatMap((vip) =>
    listeners.map(({ protocol, protocolPort: port }) => ({ vip, port, transport: transportOf(protocol) })),
  );
}

/** On clients' hosts: the way to a member. */
export function directMemberContribution({ key }: LoadBalancer, member: number, mac: string): Contribution {
  return contribution('load_balancer', key, [['direct_member', { member, mac }]]);
}

/** On clients' hosts: what has this MAC may speak as the VIP. */
export function directSourceContribution({ key, network }: LoadBalancer, mac: string, front: Front): Contribution {
  const unit = unitOf('direct_source', familyOf(front.vip), front.transport);
  return contribution('load_balancer', key, [[unit, { network: network.key, mac, ...front }]]);
}

/** On the member's own host: what arrives for it. */
export function residentContribution({ loadBalancer, member, mac, ofport }: ResidentView, front: Front): Contribution {
  const { key, network } = loadBalancer;
  const { service, direct } = zonesOf(network.key);
  const { address, protocolPort } = member;
  const own = { address, mac, member_port: ofport, member_service: protocolPort };
  const unit = unitOf('resident', familyOf(address), front.transport);
  return contribution('load_balancer', key, [
    [unit, { network: network.key, zone: service, direct_zone: direct, ...own, ...front }],
  ]);
}

/** On the member's own host: what it sends from its service port. */
export function residentReplyContribution(
  { loadBalancer: { network }, member, ofport }: ResidentView,
  transport: Transport,
): Contribution {
  const { address, protocolPort: port } = member;
  const variables = { network: network.key, direct_zone: zonesOf(network.key).direct, member_port: ofport };
  return contribution('service', network.key, [
    [unitOf('resident_reply', familyOf(address), transport), { ...variables, address, port }],
  ]);
}
