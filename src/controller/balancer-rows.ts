/** What the controller writes of a host's balancers: that they exist, and the addresses with which they speak to members. */
import { ModelError } from '../model/errors.ts';
import type { LoadBalancer } from '../model/types.ts';
import type { Store } from '../store/types.ts';
import { balancersOn, indexOf } from './model-index.ts';

export interface WantedRows {
  readonly hostId: string;
  /** Balancers that an agent runs. */
  readonly outside: readonly LoadBalancer[];
  /** Balancers that the switch has confirmed. */
  readonly inside: readonly LoadBalancer[];
  /** What the last call answered. */
  readonly refusals: ReadonlyMap<string, string>;
}

/**
 * Makes the host's rows and addresses be these. Answers why networks give no address, by network; the balancers concerned
 * say so, and wait for one. Throws StoreError while the database cannot be reached.
 */
export async function writeBalancers(
  store: Store,
  { hostId, outside, inside, refusals: before }: WantedRows,
): Promise<ReadonlyMap<string, string>> {
  const networks = new Set(outside.map(({ network }) => network.id));
  const refusals = await takeAddresses(store, hostId, networks);
  const wanted = [
    ...outside.map(({ id }) => ({ loadBalancerId: id, state: 'pending' as const })),
    ...inside.map(({ id }) => ({ loadBalancerId: id, state: 'ready' as const })),
  ];
  const rows = balancersOn(store.model, hostId);
  const isSame = rows.size === wanted.length && wanted.every(({ loadBalancerId }) => rows.has(loadBalancerId));
  if (!isSame) await store.setBalancers(hostId, wanted);
  for (const { id: loadBalancerId, network } of outside) {
    const row = balancersOn(store.model, hostId).get(loadBalancerId);
    const refusal = refusals.get(network.id);
    if (row === undefined) continue;
    if (refusal !== undefined) await store.setBalancerState(row.id, 'failed', refusal);
    else if (row.error !== '' && row.error === before.get(network.id)) await store.setBalancerState(row.id, 'pending');
  }
  return refusals;
}

/** Makes the host's addresses those of these networks. Answers why a network gives none, by network. */
async function takeAddresses(
  store: Store,
  hostId: string,
  networks: ReadonlySet<string>,
): Promise<ReadonlyMap<string, string>> {
  const refusals = new Map<string, string>();
  const held = new Set(
    indexOf(store.model)
      .addressesOn(hostId)
      .map((row) => row.networkId),
  );
  for (const networkId of networks) {
    if (held.has(networkId)) continue;
    try {
      await store.allocateAddresses(hostId, networkId);
    } catch (error) {
      if (!(error instanceof ModelError)) throw error;
      refusals.set(networkId, error.message);
    }
  }
  for (const networkId of held) if (!networks.has(networkId)) await store.releaseAddresses(hostId, networkId);
  return refusals;
}
