/** The model as one owner may see it. */
import { loadBalancersOf } from './load-balancer-index.ts';
import type { Model } from './types.ts';

const views = new WeakMap<Model, Map<string, Model>>();

/**
 * The model without the load balancers of others: what is looked up in it and is not there does not exist for its owner.
 * What has no owner (networks, hosts, flavors) and what only counts together with a load balancer is as it was.
 */
export function ownedModel(model: Model, owner: string): Model {
  let owners = views.get(model);
  if (owners === undefined) {
    owners = new Map();
    views.set(model, owners);
  }
  let view = owners.get(owner);
  if (view === undefined) {
    view = { ...model, loadBalancers: loadBalancersOf(model.loadBalancers, owner) };
    owners.set(owner, view);
  }
  return view;
}
