/** The controller of a lab, asked as any client of its API asks. */
import { type Client, createClient } from '../../src/api/client.ts';
import type { ProgressJson } from '../../src/api/resources.ts';
import type { BenchLab } from './lab.ts';

const LIMIT_MS = 30_000;

export const clientOf = (lab: BenchLab): Client => createClient({ url: lab.api });

/** Resolves to the first answer that is something; asks without pause. Throws after 30 s. */
export async function eventually<T>(what: string, ask: () => Promise<T | undefined | false>): Promise<T> {
  const deadline = performance.now() + LIMIT_MS;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (performance.now() > deadline) throw new Error(`not within ${LIMIT_MS / 1000} s: ${what}`);
  }
}

/** Resolves when every host's switch has confirmed this change. */
export async function installed(client: Client, generation: number): Promise<void> {
  await eventually(`change ${generation} on all hosts`, async () => {
    const { hosts } = (await client.request('GET', '/v1/progress')).body as ProgressJson;
    return hosts.every(({ applied, state }) => state === 'connected' && applied >= generation);
  });
}
