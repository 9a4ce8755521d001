/** Harm under load: VMs open connections all the time, and keep some, while something is done to what they depend on. */
import { expect } from 'chai';
import { until } from './until.ts';
import type { Endpoint, LoadResult } from './vm.ts';
import type { World } from './world.ts';

/** New connections a second, and kept ones, of all VMs together. */
const RATE = 200;
const KEPT = 50;

/** Load of these VMs before, while and after `harm`; resolves when each has had answers after it, and all is counted. */
export async function underLoad(
  world: World,
  { endpoints, vms }: { readonly endpoints: readonly Endpoint[]; readonly vms: readonly string[] },
  harm: () => Promise<void>,
): Promise<Record<string, LoadResult>> {
  const clients = vms.map((vm) => world.vm(vm));
  const answered = async (more: number): Promise<void> => {
    const starts = await Promise.all(clients.map((client) => client.run('progress')));
    await until(
      async () => {
        const now = await Promise.all(clients.map((client) => client.run('progress')));
        return now.every((progress, i) => progress.answered >= starts[i]!.answered + more);
      },
      { what: `${more} more answers for each` },
    );
  };
  const load = { endpoints, perSecond: RATE / vms.length, kept: KEPT / vms.length };
  await Promise.all(clients.map((client) => client.run('load', load)));
  await answered(40);
  await harm();
  await answered(80);
  const results = await Promise.all(clients.map((client) => client.run('unload')));
  return Object.fromEntries(vms.map((vm, i) => [vm, results[i]!]));
}

/** Asserts that every connection was answered, new or kept, and that these servers did it. */
export function noneFailed(results: Readonly<Record<string, LoadResult>>, servers: readonly string[]): void {
  for (const [vm, { failures, answers, kept, keptAnswers }] of Object.entries(results)) {
    expect(failures, vm).to.deep.equal([]);
    expect(Object.keys(answers).sort(), vm).to.deep.equal(servers);
    expect(keptAnswers, `${vm}: answers of ${kept} kept connections`).to.be.greaterThan(0);
  }
}
