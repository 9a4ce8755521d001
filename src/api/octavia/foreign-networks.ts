/** Load balancers in networks that only another system knows: see model/foreign-networks.ts. */
import { ModelError } from '../../model/errors.ts';
import { believesIds, isForeign } from '../../model/foreign-networks.ts';
import type { Model, Network } from '../../model/types.ts';
import type { Call } from '../route.ts';

const UUID = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/;

interface Hints {
  readonly vip_network_id?: string | null | undefined;
  readonly vip_subnet_id?: string | null | undefined;
}

/** The id of the network that is believed to be; undefined: the hints name what must be known. */
export function foreignNetworkOf(model: Model, hints: Hints): string | undefined {
  const id = (hints.vip_network_id ?? hints.vip_subnet_id)?.toLowerCase();
  return id !== undefined && UUID.test(id) && believesIds(model) ? id : undefined;
}

/** Such a network goes with what was last in it. */
export async function forgetNetwork({ model, store }: Pick<Call, 'model' | 'store'>, id: string): Promise<void> {
  const network: Network | undefined = model.networks.get(id);
  if (network === undefined || !isForeign(network)) return;
  try {
    await store.deleteNetwork(id);
  } catch (error) {
    if (!(error instanceof ModelError)) throw error;
  }
}
