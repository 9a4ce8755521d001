/** Where a packet ends. */

import type { MemberFacts } from './facts.ts';
import { chosenMember, type FollowedPass } from './follow.ts';
import { endpoint, memberWords, type Names } from './names.ts';
import { tableName } from './templates.ts';
import { fieldsOf } from './trace.ts';

export interface Outcome {
  /**
   * - `answered`: the switch itself answers
   * - `member`, `client`, `balancer`: delivered to a member of the load balancer; to a VM, as the VIP; to a balancer outside the switch
   * - `switched`: carried as the bridge does, without us
   * - `controller`: to the controller alone
   * - `refused`: the controller refuses it, as the VIP
   * - `dropped`
   */
  readonly kind: 'answered' | 'member' | 'client' | 'balancer' | 'switched' | 'controller' | 'refused' | 'dropped';
  /** One sentence. */
  readonly text: string;
}

/** `words` are those of the last step. */
export function outcomeOf(passes: readonly FollowedPass[], words: string, names: Names): Outcome {
  const last = passes.at(-1)!;
  const step = last.steps.at(-1);
  const ports = outputs(last.datapathActions, names);
  const to = ports.map(names.port).join(', ');
  if (last.failure !== '') return { kind: 'dropped', text: `Dropped: the switch gives up, ${last.failure}.` };
  if (ports.length === 0) {
    const toController = last.datapathActions.includes('userspace(') || last.datapathActions.includes('controller(');
    if (toController && step !== undefined && tableName(step.table) === 'choose') {
      return { kind: 'controller', text: askedText(last, names) };
    }
    if (toController && step !== undefined && tableName(step.table) === 'reject') {
      return { kind: 'refused', text: 'Refused by the controller, as the VIP: no member can serve it.' };
    }
    if (toController) return { kind: 'controller', text: 'Goes to the controller and nowhere else.' };
    const name = step === undefined ? '' : (tableName(step.table) ?? String(step.table));
    return { kind: 'dropped', text: `Dropped in table ${name}: ${words.replace(/^dropped: /, '')}.` };
  }
  if (step?.actions.includes('IN_PORT') && !passes.some(isTracked)) {
    return { kind: 'answered', text: `${names.facts.host.name}'s switch answers ${to} itself.` };
  }
  const plug = ports.map((port) => names.ports.plugs.get(port)).find((key) => key !== undefined);
  if (ports.length === 1 && plug !== undefined) {
    const lb = names.loadBalancer(plug);
    const where = lb === undefined ? '' : ` in its ${lb.placement}`;
    return { kind: 'balancer', text: `Handed to ${to}${where}, which chooses a member and connects to it.` };
  }
  return delivered(last, to, names);
}

/** The group stands in register 7 where the controller is asked. */
function askedText({ final }: FollowedPass, names: Names): string {
  const pool = names.group(Number(fieldsOf(final).get('reg7') ?? 0));
  return `Goes to the controller, which chooses ${pool} and sends it back into the switch.`;
}

function delivered(pass: FollowedPass, to: string, names: Names): Outcome {
  const fields = fieldsOf(pass.final);
  const of = (...keys: readonly string[]) =>
    keys.map((key) => fields.get(key)).find((value) => value !== undefined) ?? '';
  const [src, dst] = [of('nw_src', 'ipv6_src', 'arp_spa'), of('nw_dst', 'ipv6_dst', 'arp_tpa')];
  const vip = names.facts.load_balancers.find(
    (lb) => lb.vips.includes(src) && (lb.vip_mac === of('dl_src') || lb.return_path === 'direct'),
  );
  if (vip !== undefined) {
    return { kind: 'client', text: `Delivered to ${to}, as from ${endpoint(src, of('tp_src'))}, VIP of ${vip.name}.` };
  }
  const lb = names.loadBalancer(Number(of('reg2')));
  // A group's choice is taken back when the group is done, and with it what the packet looked like.
  const chosen = names.member(chosenMember([pass]) ?? 0)?.member;
  const isIt = ({ address, protocol_port: port }: MemberFacts) =>
    address === dst && [String(port), ''].includes(of('tp_dst'));
  const member = chosen ?? lb?.pools.flatMap((pool) => pool.members).find(isIt);
  if (lb !== undefined && member !== undefined) {
    return { kind: 'member', text: `Delivered to member ${memberWords(member)} of ${lb.name}, by ${to}.` };
  }
  return { kind: 'switched', text: `Switched as the bridge does, by ${to}.` };
}

/** What conntrack has to do with is a connection, which the switch does not answer even where it sends it back. */
function isTracked({ datapathActions }: FollowedPass): boolean {
  return /\bct\(/.test(datapathActions);
}

/** OpenFlow ports that the datapath sends the packet to. */
function outputs(actions: string, names: Names): readonly number[] {
  const ports: number[] = [];
  let depth = 0;
  for (const part of actions.split(/([(),])/)) {
    if (part === '(') depth++;
    else if (part === ')') depth--;
    else if (depth === 0 && /^\d+$/.test(part)) ports.push(names.ports.datapath.get(Number(part)) ?? Number(part));
  }
  return ports;
}
