import { familyOf } from '../addresses.ts';
import { requireMembers, requireOption } from '../capabilities.ts';
import { MEMBER_DEFAULTS } from '../defaults.ts';
import type { MemberDraft } from '../drafts.ts';
import { ModelError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { vipHolder } from '../load-balancer-index.ts';
import type { MemberPatch, MemberSpec } from '../specs.ts';
import type { Member } from '../types.ts';
import { address, bounded, flag, given, integer, tags, text, transportPort } from './fields.ts';
import { blocksOf, type MemberContext, type PoolContext, requirePlace, rival } from './site.ts';

/** Checks members that are to join `existing` in one pool. Throws ModelError('invalid' | 'conflict' | 'unsupported'). */
export function draftMembers(
  context: MemberContext,
  specs: readonly MemberSpec[],
  existing: readonly Member[],
): readonly MemberDraft[] {
  if (specs.length === 0) return [];
  bounded(specs.length + existing.length, LIMITS.membersPerPool, 'members of a pool');
  requireMembers(context, specs.length + existing.length);
  const requireAddress = addressCheck(context);
  const taken = new Set(existing.map(endpoint));
  return specs.map((spec) => {
    const where = {
      address: address('address', spec.address),
      protocolPort: transportPort('protocol_port', spec.protocolPort),
      subnetId: spec.subnetId,
    };
    const written = asWritten(where.address, spec.address);
    const draft = merged(context, { ...MEMBER_DEFAULTS, ...where, written }, spec);
    requireAddress(draft.address, 'member address');
    if (draft.monitorAddress !== undefined) requireMonitorAddress(context, draft.monitorAddress);
    if (taken.has(endpoint(draft))) {
      throw new ModelError(
        'conflict',
        `Another member on this pool is already using ip ${draft.address} on protocol_port ${draft.protocolPort}`,
      );
    }
    taken.add(endpoint(draft));
    return draft;
  });
}

/** What identifies a member within its pool. */
export function endpoint(member: Pick<Member, 'address' | 'protocolPort'>): string {
  return `${member.address} ${member.protocolPort}`;
}

/** What a member will be after a change. Throws ModelError('invalid' | 'conflict' | 'unsupported'). */
export function patchedMember(context: MemberContext, member: Member, patch: MemberPatch): MemberDraft {
  const next = merged(context, member, patch);
  if (next.monitorAddress !== undefined && next.monitorAddress !== member.monitorAddress) {
    requireMonitorAddress(context, next.monitorAddress);
  }
  return next;
}

/** `base` with what was given in its place, checked. */
function merged(context: MemberContext, base: MemberDraft, patch: MemberPatch): MemberDraft {
  const monitorAddress = given(patch.monitorAddress, base.monitorAddress, (value) =>
    value === null ? undefined : address('monitor_address', value),
  );
  const next: MemberDraft = {
    address: base.address,
    written: {
      ...asWritten(base.address, base.written[base.address]),
      ...asWritten(monitorAddress, patch.monitorAddress ?? base.written[monitorAddress ?? '']),
    },
    protocolPort: base.protocolPort,
    subnetId: base.subnetId,
    name: given(patch.name, base.name, (value) => text('name', value)),
    weight: given(patch.weight, base.weight, (value) => integer('weight', value, { min: 0, max: LIMITS.maxWeight })),
    backup: given(patch.backup, base.backup, (value) => flag('backup', value, false)),
    monitorAddress,
    monitorPort: given(patch.monitorPort, base.monitorPort, (value) =>
      value === null ? undefined : transportPort('monitor_port', value),
    ),
    adminStateUp: given(patch.adminStateUp, base.adminStateUp, (value) => flag('admin_state_up', value, true)),
    tags: given(patch.tags, base.tags, tags),
  };
  if (next.backup) requireOption(context, 'attributes', 'backup');
  if (next.monitorAddress !== undefined) requireOption(context, 'attributes', 'monitor_address');
  if (next.monitorPort !== undefined) requireOption(context, 'attributes', 'monitor_port');
  return next;
}

/** Remembers a spelling that is not the canonical one. */
function asWritten(canonical: string | undefined, text: string | null | undefined): Readonly<Record<string, string>> {
  return canonical === undefined || !text || text === canonical ? {} : { [canonical]: text };
}

/** In placement switch IPv4 members are asked as the VIP: hosts have no other address that is sure to be nobody's. */
function requireMonitorAddress(context: MemberContext, candidate: string): void {
  addressCheck(context)(candidate, 'monitor address');
  const { placement, vips } = context;
  if (placement !== 'switch' || familyOf(candidate) === 6 || vips.some((vip) => familyOf(vip) === 4)) return;
  throw new ModelError(
    'unsupported',
    `Provider '${placement}' does not support a requested option: monitor_address ${candidate} without an IPv4 VIP, as which the switch asks (namespace, container, vm do)`,
  );
}

/** A check that an address is one that a machine of the network may have, and no VIP. */
function addressCheck(context: PoolContext): (address: string, what: string) => void {
  const blocks = blocksOf(context.network);
  return (candidate, role) => {
    const what = `${role} ${candidate}`;
    if (candidate === '169.254.169.254') {
      throw new ModelError('invalid', `${candidate} is not a valid option for ${role}`);
    }
    requirePlace(blocks, candidate, what);
    const holder = vipHolder(context.model.loadBalancers, context.network.id, candidate);
    if (holder !== undefined) throw new ModelError('conflict', `${what} is the VIP of ${rival(holder, context.owner)}`);
    if (context.vips.includes(candidate)) throw new ModelError('conflict', `${what} is the load balancer's own VIP`);
  };
}
