/** To which members the switch may have begun connections: what conntrack remembers by them. Pure. */
import { familyOf } from '../model/addresses.ts';
import { transportOf } from '../model/transport.ts';
import type { Network } from '../model/types.ts';
import type { Service } from './contribution.ts';
import type { BalancerView } from './view.ts';
import { isTracked, liveListeners, wayOf } from './ways.ts';

/** A VIP's listener and a member behind it, as connections in conntrack name them. */
export interface Binding {
  readonly network: Network;
  readonly vip: string;
  /** Of the listener. */
  readonly port: number;
  /** Where the member answers from. */
  readonly service: Service;
}

/** Those of a balancer, by a text that names them. Members that serve nobody for now are among them. */
export function bindingsOf(balancer: BalancerView): ReadonlyMap<string, Binding> {
  const { network, vips } = balancer.loadBalancer;
  const bindings = new Map<string, Binding>();
  for (const listener of liveListeners(balancer.loadBalancer)) {
    if (!isTracked(wayOf(balancer, listener))) continue;
    const { protocol, protocolPort: port, defaultPool } = listener;
    const transport = transportOf(protocol);
    for (const { address, protocolPort, adminStateUp } of defaultPool.members) {
      const vip = vips.find((one) => familyOf(one) === familyOf(address));
      if (vip === undefined || !adminStateUp) continue;
      const key = `${network.key} ${transport} ${vip} ${port} ${address} ${protocolPort}`;
      bindings.set(key, { network, vip, port, service: { address, port: protocolPort, transport } });
    }
  }
  return bindings;
}
