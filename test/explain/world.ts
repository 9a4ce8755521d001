/** A real Open vSwitch on the dummy datapath that has the flows of a model, and what is known of it. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { plugsIn, readBridgePorts } from '../../src/explain/bridge-ports.ts';
import { type Facts, factsOf, type SeenPort } from '../../src/explain/facts.ts';
import { asBundle, type ExplainedFlows, explainFlows } from '../../src/explain/flows.ts';
import { type Appctl, follow } from '../../src/explain/follow.ts';
import { createNames, type Names } from '../../src/explain/names.ts';
import { type PacketState, type PacketWish, packetToVip, situationOf } from '../../src/explain/packet.ts';
import { type Told, tell } from '../../src/explain/tell.ts';
import type { LoadBalancer, Model } from '../../src/model/types.ts';
import { createDesired } from '../../src/pipeline/desired.ts';
import { describeContents } from '../../src/pipeline/text.ts';
import type { HostView } from '../../src/pipeline/view.ts';
import { blue, host, modelOf } from '../model/fixtures.ts';
import { macOf } from '../support/model.ts';
import { type Ovs, startOvs } from '../support/ovs.ts';

export const BRIDGE = 'br-x';
export const PORTS = ['c1', 's1', 'o1', 'p4', 'plug', 'p6', 'p7', 'p8', 'up'];
export const ON_HOST = host('h1', {
  bridge: BRIDGE,
  status: { state: 'connected', error: '', applied: 1, ovsVersion: '3.1.0' },
});

/** A VM's port on the host. */
export function seen(ifaceId: string, ofport: number, owner = ''): SeenPort {
  return { ifaceId, host: 'h1', network: blue.id, owner, mac: macOf(ofport), ofport, state: 'client' };
}

export interface Site {
  readonly ovs: Ovs;
  readonly appctl: Appctl;
  readonly facts: Facts;
  readonly names: Names;
  readonly wanted: ExplainedFlows;
  /** The desired contents as the controller prints them. */
  readonly text: string;
  /** What becomes of what a VM sends. */
  told(
    wish: Partial<PacketWish> & Pick<PacketWish, 'from' | 'to'>,
    state?: Exclude<PacketState, 'reply'>,
  ): Promise<Told>;
  stop(): Promise<void>;
}

export interface SiteInit {
  readonly view: HostView;
  readonly loadBalancers: readonly LoadBalancer[];
  readonly ports: readonly SeenPort[];
  /** Further parts of the model. */
  readonly model?: Partial<Model>;
}

/** The desired contents as the controller prints them, and what is known of them. */
export function known({ view, loadBalancers, ports, model = {} }: SiteInit) {
  const desired = createDesired();
  desired.update(view);
  const text = describeContents({
    flows: desired.flows.values(),
    groups: desired.groups.values(),
    meters: desired.meters.values(),
  });
  const whole: Model = { ...modelOf({ hosts: [ON_HOST], loadBalancers }), ...model };
  const facts = factsOf(whole, ON_HOST, ports);
  return { text, facts };
}

export async function createSite(init: SiteInit): Promise<Site> {
  const { text, facts } = known(init);
  const ovs = await startOvs({ bridge: BRIDGE, ports: PORTS });
  const appctl: Appctl = (words) => ovs.appctl(...words);
  const ports = readBridgePorts(await appctl(['dpif/show']), BRIDGE);
  const names = createNames(facts, { ...ports, plugs: plugsIn(text) });
  const wanted = explainFlows(text, names);
  const file = join(ovs.rundir, 'bundle');
  for (const { text } of wanted.meters) await ovs.ofctl('add-meter', text);
  await writeFile(file, `${asBundle(wanted)}flow add table=0,priority=0 actions=NORMAL\n`);
  await ovs.ofctl('bundle', file);
  return {
    ...{ ovs, appctl, facts, names, wanted, text },
    told: async (wish, state = 'new') => {
      const situation = situationOf(facts, { sourcePort: 49152, ...wish });
      const flow = packetToVip(situation, state);
      const { passes } = await follow(appctl, { bridge: BRIDGE, flow, state });
      return tell({ passes, names, wanted, state });
    },
    stop: () => ovs.stop(),
  };
}
