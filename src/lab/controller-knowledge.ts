/** What the lab's controller knows that VMs of the lab need to. */
import { z } from 'zod';
import type { LabState } from './state.ts';

const vmList = z.object({
  vms: z.array(z.object({ name: z.string(), network: z.string().nullable(), addresses: z.array(z.string()) })),
});
const neighbourList = z.object({ neighbours: z.array(z.object({ address: z.string(), mac: z.string() })) });

export interface Neighbour {
  readonly address: string;
  readonly mac: string;
}

/** Addresses of virtual machines that agents run in a network, with the machines' names. */
export async function machineAddresses(state: LabState, network: string): Promise<ReadonlyMap<string, string>> {
  const answer = await ask(state, '/v1/vms', vmList);
  const machines = answer?.vms.filter((vm) => vm.network === network) ?? [];
  return new Map(machines.flatMap(({ name, addresses }) => addresses.map((address) => [address, name])));
}

/** The permanent neighbour entries that a VM is to have: VIPs of lookup mode `static`. */
export async function neighboursOf(
  state: LabState,
  vm: { readonly name: string; readonly network: string; readonly owner?: string | undefined },
): Promise<readonly Neighbour[]> {
  const query = new URLSearchParams({ network: vm.network, owner: vm.owner ?? '' });
  const answer = await ask(state, `/v1/vms/${encodeURIComponent(vm.name)}/neighbours?${query}`, neighbourList);
  return answer?.neighbours ?? [];
}

/** Undefined without a controller that answers: hypervisors, too, make VMs whatever becomes of it. */
async function ask<T>(state: LabState, path: string, schema: z.ZodType<T>): Promise<T | undefined> {
  if (state.api === undefined) return undefined;
  try {
    const answer = await fetch(`http://${state.api}${path}`, { signal: AbortSignal.timeout(ANSWER_MS) });
    return answer.ok ? schema.parse(await answer.json()) : undefined;
  } catch {
    return undefined;
  }
}

const ANSWER_MS = 5000;
