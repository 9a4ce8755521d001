/** Why a packet does not get where its sender wanted it: what of the model stands against it, in the order of its way. */

import { cidrContains, familyOf } from '../model/addresses.ts';
import { servedBy, TRANSPORTS, type Transport, transportOf } from '../model/transport.ts';
import type { Facts, ListenerFacts, LoadBalancerFacts, MemberFacts, VmFacts } from './facts.ts';
import type { FollowedPass } from './follow.ts';
import { memberWords, type Names } from './names.ts';
import type { Outcome } from './outcome.ts';
import type { PacketState } from './packet.ts';
import type { ToldPass } from './tell.ts';
import { fieldsOf } from './trace.ts';

interface ReasonsInit {
  readonly told: readonly ToldPass[];
  readonly outcome: Outcome;
  readonly names: Names;
  readonly passes: readonly FollowedPass[];
  readonly state: PacketState;
}

/** What the packet wants, read from the packet itself. */
interface Want {
  readonly vm: VmFacts | undefined;
  readonly loadBalancer: LoadBalancerFacts | undefined;
  readonly source: string;
  readonly target: string;
  /** Of a packet with ports. */
  readonly port: number | undefined;
  readonly transport: Transport | undefined;
  readonly isLookup: boolean;
}

export function reasonsFor({ told, outcome, names, passes, state }: ReasonsInit): readonly string[] {
  const { host } = names.facts;
  const strange = told.flatMap(({ steps }) => steps.filter(({ wanted }) => wanted === false));
  const want = wantOf(passes[0]!, names, state);
  const isAstray =
    outcome.kind === 'dropped' ||
    outcome.kind === 'refused' ||
    (outcome.kind === 'switched' && want.loadBalancer !== undefined);
  return [
    ...strange.map(
      ({ table, name }) =>
        `table ${name || table} of the switch is not as it should be: hostlb flows ${host.name} --diff`,
    ),
    ...(isAstray ? missing(want, names) : []),
  ];
}

function wantOf({ flow }: FollowedPass, names: Names, state: PacketState): Want {
  const fields = fieldsOf(flow);
  const of = (...keys: readonly string[]) =>
    keys.map((key) => fields.get(key)).find((value) => value !== undefined) ?? '';
  const target = of('arp_tpa', 'nd_target', 'nw_dst', 'ipv6_dst');
  const vm = names.vmAt(Number(of('in_port')));
  const port = of('tp_dst');
  const isVip = (lb: LoadBalancerFacts) => lb.vips.includes(target) && (vm === undefined || lb.network === vm.network);
  return {
    vm,
    source: of('arp_spa', 'nw_src', 'ipv6_src'),
    target,
    loadBalancer: names.facts.load_balancers.find(isVip),
    // A reply goes to the port that it is an answer to.
    port: port === '' || state === 'reply' ? undefined : Number(port),
    transport: TRANSPORTS.find((one) => fields.has(one) || fields.has(`${one}6`)),
    isLookup: fields.has('arp') || fields.has('nd_target'),
  };
}

function missing(want: Want, names: Names): readonly string[] {
  const { vm, loadBalancer: lb } = want;
  const { host } = names.facts;
  const reasons: string[] = [];
  if (host.state !== 'connected')
    reasons.push(`host ${host.name} is ${host.state}${host.error === '' ? '' : `: ${host.error}`}`);
  if (vm !== undefined && vm.ignored !== '') reasons.push(`VM ${vm.name} is served by nobody: ${vm.ignored}`);
  if (lb === undefined) return reasons;
  if (vm !== undefined && lb.owner !== '' && vm.owner !== '' && lb.owner !== vm.owner) {
    reasons.push(
      `VM ${vm.name} is no client of ${lb.name}: it belongs to ${vm.owner}, the load balancer to ${lb.owner}`,
    );
  }
  if (!lb.admin_state_up) reasons.push(`load balancer ${lb.name} is disabled`);
  if (lb.balancer === null) {
    const why =
      lb.other_zone === null
        ? 'no VM there is a client of it'
        : `that is no host of availability zone ${lb.other_zone}, which it is in`;
    reasons.push(`${lb.name} has no balancer on ${host.name}: ${why}`);
  } else if (lb.balancer.state !== 'ready') {
    reasons.push(
      `the balancer of ${lb.name} on ${host.name} is ${lb.balancer.state}${lb.balancer.error === '' ? '' : `: ${lb.balancer.error}`}`,
    );
  }
  if (want.isLookup && lb.lookup_mode === 'static') {
    reasons.push(`${lb.name} has lookup mode static: VMs have a permanent neighbour entry, and nobody answers`);
  }
  if (want.port !== undefined) reasons.push(...aboutListener(want, lb, names));
  return reasons;
}

function aboutListener(
  { source, target, transport, port }: Want,
  lb: LoadBalancerFacts,
  { facts }: Names,
): readonly string[] {
  const isMeant = (one: ListenerFacts) => one.protocol_port === port && transportOf(one.protocol) === transport;
  const listener = lb.listeners.find(isMeant);
  if (listener === undefined) {
    const others = lb.listeners.map((one) => `${transportOf(one.protocol)} ${one.protocol_port}`).join(', ');
    return [`${lb.name} has no listener on ${transport} ${port}${others === '' ? '' : `, only on ${others}`}`];
  }
  const reasons: string[] = [];
  const name = listener.name === '' ? `on port ${port}` : listener.name;
  if (!listener.admin_state_up) reasons.push(`listener ${name} is disabled`);
  const isAllowed = listener.allowed_cidrs.length === 0 || listener.allowed_cidrs.some((cidr) => within(cidr, source));
  if (!isAllowed) reasons.push(`listener ${name} allows ${listener.allowed_cidrs.join(', ')} only, not ${source}`);
  return [...reasons, ...aboutPool(lb, listener, { target, facts })];
}

function within(cidr: string, address: string): boolean {
  return cidr.includes(':') === address.includes(':') && cidrContains(cidr, address);
}

function aboutPool(
  lb: LoadBalancerFacts,
  listener: ListenerFacts,
  { target, facts }: { readonly target: string; readonly facts: Facts },
): readonly string[] {
  const pool = lb.pools.find(({ key }) => key === listener.pool);
  // What becomes of a request is then HAProxy's to say.
  if (listener.l7_policies > 0) return [];
  if (pool === undefined) return [`listener on port ${listener.protocol_port} has no default pool`];
  if (!pool.admin_state_up) return [`pool ${pool.name} is disabled`];
  const isInSwitch = servedBy(lb.placement, listener.protocol) === 'switch';
  const members = pool.members.filter(({ address }) => !isInSwitch || familyOf(address) === familyOf(target));
  if (members.length === 0) return [`pool ${pool.name} has no member of the family of ${target}`];
  const here = new Set(facts.vms.filter((vm) => vm.host === facts.host.name).map((vm) => vm.mac));
  const isFar = ({ mac }: MemberFacts) => isInSwitch && pool.locality === 'only' && !here.has(mac);
  const far = `is no VM of ${facts.host.name}, and ${pool.name} has locality only`;
  const isAwaited = isInSwitch && pool.monitored;
  const troubles = members.map(
    (member) => [member, troubleOf(member, isAwaited) || (isFar(member) ? far : '')] as const,
  );
  if (troubles.some(([, trouble]) => trouble === '')) return [];
  return troubles.map(([member, trouble]) => `member ${memberWords(member)} ${trouble}`);
}

/** Why a member gets no connections; empty when it can. */
function troubleOf({ admin_state_up: isUp, weight, mac, health, finding }: MemberFacts, isAwaited: boolean): string {
  if (!isUp) return 'is disabled';
  if (weight === 0) return 'has weight 0';
  if (mac === null) return 'has no known MAC: nobody answers for its address';
  const because = finding === '' ? '' : `: ${finding}`;
  if (health === 'ERROR' || health === 'OFFLINE') return `is ${health} by its health monitor${because}`;
  return isAwaited && health === null ? `has not been found well by its health monitor yet${because}` : '';
}
