/**
 * A plan for a switch that has nothing of ours, in slices that each leave it fit to serve: what hosts and networks have in
 * common first, then one load balancer after the other with the groups that it refers to. Pure.
 *
 * In one bundle nobody would be served before the last of thousands of load balancers is there.
 */
import type { Flow, Instruction } from '../openflow/index.ts';
import { readCookie } from '../pipeline/ids.ts';

/** Messages after which the first slice ends with the load balancer. Each further one is twice as long: bundles take time, too. */
const SLICE_MESSAGES = 1_000;

/** The load balancer's key; undefined for what several have in common. */
function ownerOf({ cookie }: Flow): number | undefined {
  const read = readCookie(cookie);
  return read?.kind === 'load_balancer' ? read.key : undefined;
}

function* groupsIn(instructions: readonly Instruction[]): Generator<number, void> {
  for (const instruction of instructions) {
    if (instruction.kind !== 'apply_actions') continue;
    for (const action of instruction.actions) if (action.kind === 'group') yield action.groupId;
  }
}

/** The plan's flows and groups as slices. Load balancers that are named in `first`, by their keys, come in that order. */
export function* slicesOf<
  F extends { readonly value: Flow },
  G extends { readonly value: { readonly groupId: number } },
>(
  plan: { readonly flows: readonly F[]; readonly groups: readonly G[] },
  first: Iterable<number>,
): Generator<{ readonly groups: readonly G[]; readonly flows: readonly F[] }, void> {
  const waiting = new Map(plan.groups.map((group) => [group.value.groupId, group]));
  const parts = new Map<number | undefined, { readonly groups: G[]; readonly flows: F[] }>();
  parts.set(undefined, { groups: [], flows: [] });
  for (const flow of plan.flows) {
    const owner = ownerOf(flow.value);
    const part = parts.get(owner) ?? { groups: [], flows: [] };
    parts.set(owner, part);
    part.flows.push(flow);
    for (const id of groupsIn(flow.value.instructions)) {
      const group = waiting.get(id);
      if (group !== undefined) part.groups.push(group);
      waiting.delete(id);
    }
  }
  parts.get(undefined)!.groups.push(...waiting.values());
  let most = SLICE_MESSAGES;
  let slice: { groups: G[]; flows: F[] } = { groups: [], flows: [] };
  for (const owner of new Set([undefined, ...first, ...parts.keys()])) {
    const part = parts.get(owner);
    if (part === undefined) continue;
    slice.groups.push(...part.groups);
    slice.flows.push(...part.flows);
    if (slice.groups.length + slice.flows.length < most) continue;
    yield slice;
    most *= 2;
    slice = { groups: [], flows: [] };
  }
  if (slice.groups.length + slice.flows.length > 0) yield slice;
}
