/** Pools of the switch without a member that can serve. */
import { expect } from 'chai';
import type { LoadBalancer, Member, Pool } from '../../src/model/types.ts';
import { vipMac } from '../../src/model/vip-mac.ts';
import { printGroup } from '../../src/openflow/index.ts';
import { createDesired } from '../../src/pipeline/desired.ts';
import { poolGroup, REJECT_METER } from '../../src/pipeline/ids.ts';
import { TABLES } from '../../src/pipeline/tables.ts';
import { blue, healthMonitor, member } from '../model/fixtures.ts';
import { balancerView, balancing, hostView, macOf, portView, type ViewParts } from '../support/model.ts';

const NEIGHBOURS = { [blue.id]: { '10.0.0.21': macOf(21) } };

function web(members: readonly Member[], parts: Partial<Pool> = {}, attributes: Partial<LoadBalancer> = {}) {
  const of = balancing('web', members, { vips: ['10.0.0.100'], ...attributes });
  const pool = { ...of.pools[0]!, ...parts };
  return { ...of, pools: [pool], listeners: of.listeners.map((one) => ({ ...one, defaultPool: pool })) };
}

/** How many buckets the pool's group has, how many of them refuse, and what there is for that. */
function emptiness(of: LoadBalancer, parts: ViewParts = {}) {
  const desired = createDesired();
  desired.update(hostView({ ports: [portView(1)], balancers: [balancerView(of)], neighbours: NEIGHBOURS, ...parts }));
  const { value: group } = desired.groups.get(String(poolGroup(of.pools[0]!.key, 4)))!;
  const refusals = [...desired.flows.values()].filter(({ value }) => value.tableId === TABLES.reject);
  const lines = printGroup(group).split('bucket=').slice(1);
  return {
    buckets: lines.length,
    refusing: lines.filter((line) => line.includes(`resubmit(,${TABLES.reject})`)).length,
    flows: refusals.length - 1,
    meters: desired.meters.has(String(REJECT_METER)) ? 1 : 0,
    text: lines.join(),
  };
}

const REFUSES = { buckets: 1, refusing: 1, flows: 6, meters: 1 };
const SERVES = { buckets: 256, refusing: 0, flows: 0, meters: 0 };
const DROPS = { buckets: 0, refusing: 0, flows: 0, meters: 0 };
const all = [member('10.0.0.21')];

describe('a pool of the switch', () => {
  it('has its members in its group while one can serve', () => {
    expect(emptiness(web(all))).to.include(SERVES);
    expect(emptiness(web(all, { whenEmpty: 'drop' }))).to.include(SERVES);
  });

  const empty: Readonly<Record<string, readonly [LoadBalancer, ViewParts?]>> = {
    'that has no members': [web([])],
    'whose members have weight 0': [web(all.map((one) => ({ ...one, weight: 0 })))],
    'whose members are disabled': [web(all.map((one) => ({ ...one, adminStateUp: false })))],
    'that is disabled itself': [web(all, { adminStateUp: false })],
    'whose members cannot be reached': [web(all), { neighbours: {} }],
    'whose members have not been found well': [web(all, { healthMonitor: { ...healthMonitor('PING') } })],
    'whose members are not on the host, and have to be': [web(all, { locality: 'only' })],
    'whose members answer themselves, and are none': [web([], {}, { returnPath: 'direct' })],
    'for which the controller would choose': [web([], { algorithm: 'ROUND_ROBIN' })],
  };
  for (const [which, [of, parts]] of Object.entries(empty)) {
    it(`${which} refuses what begins, as the VIP, or drops it`, () => {
      const refusing = emptiness(of, parts);
      expect(refusing).to.include(REFUSES);
      const group = poolGroup(of.pools[0]!.key, 4);
      expect(refusing.text).to.contain(`set_field:${vipMac(of.id)}->eth_dst,set_field:0x${group.toString(16)}->reg7`);
      const pool = { ...of.pools[0]!, whenEmpty: 'drop' as const };
      const dropping = { ...of, pools: [pool], listeners: of.listeners.map((one) => ({ ...one, defaultPool: pool })) };
      expect(emptiness(dropping, parts)).to.include(DROPS);
    });
  }
});
