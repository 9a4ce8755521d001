import { readdirSync, readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { expect } from 'chai';
import fc from 'fast-check';
import type { LoadBalancer, Pool } from '../../src/model/types.ts';
import {
  type Action,
  canonicalMatch,
  type Flow,
  type Instruction,
  parseTemplates,
  printFlow,
} from '../../src/openflow/index.ts';
import { deniedFlows, leaseFlows } from '../../src/pipeline/asking.ts';
import { createDesired } from '../../src/pipeline/desired.ts';
import { COOKIE, COOKIE_KINDS, cookieOf, isOurGroup, readCookie } from '../../src/pipeline/ids.ts';
import { sessionFlow } from '../../src/pipeline/sessions.ts';
import { OWN_TABLES, TABLES } from '../../src/pipeline/tables.ts';
import type { BalancerView } from '../../src/pipeline/view.ts';
import { packaged } from '../../src/util/paths.ts';
import { blue, healthMonitor, member, red } from '../model/fixtures.ts';
import { balancerView, balancing, hostView, macOf, portView } from '../support/model.ts';
import { anyView } from './worlds.ts';

const members = () => ['10.0.0.21', 'fd00::21'].map((address) => member(address));
const vips = ['10.0.0.100', 'fd00::100'];

/** A balancer outside the switch, each with addresses of its own. */
function outside(name: string, number: number, parts: Partial<BalancerView>, attributes: Partial<LoadBalancer> = {}) {
  const vips = [`10.0.0.${number}`, `fd00::${number}`];
  return balancerView(balancing(name, members(), { vips, placement: 'namespace', ...attributes }), parts);
}

const direct = balancing('direct', members(), { vips: ['10.0.0.107', 'fd00::107'], returnPath: 'direct' });

/** One for which the controller chooses. */
function asking(name: string, number: number, algorithm: Pool['algorithm']): LoadBalancer {
  const of = balancing(name, members(), { vips: [`10.0.0.${number}`, `fd00::${number}`] });
  const pools = of.pools.map((pool) => ({ ...pool, algorithm }));
  return { ...of, pools, listeners: of.listeners.map((one) => ({ ...one, defaultPool: pools[0]! })) };
}

/** The same for some clients only. */
const restricted = (of: LoadBalancer): LoadBalancer => ({
  ...of,
  listeners: of.listeners.map((one) => ({ ...one, allowedCidrs: ['10.0.0.0/25', '10.0.0.64/26', 'fd00::/64'] })),
});

/** The same over another transport. */
const carried = (of: LoadBalancer, protocol: 'UDP' | 'SCTP'): LoadBalancer => {
  const listeners = of.listeners.map((one) => ({
    ...{ ...one, protocol },
    defaultPool: one.defaultPool && { ...one.defaultPool, protocol },
  }));
  return { ...of, listeners, pools: listeners.map(({ defaultPool }) => defaultPool!) };
};
/** The same with its listeners closed. */
const closed = (of: LoadBalancer): LoadBalancer => ({
  ...of,
  listeners: of.listeners.map((one) => ({ ...one, adminStateUp: false })),
});
const DATAGRAMS = ['UDP', 'SCTP'] as const;
const datagrams = DATAGRAMS.flatMap((protocol, i) =>
  [{}, { returnPath: 'direct' } as const].flatMap((attributes, j) => {
    const one = (number: number) =>
      carried(
        balancing(`${protocol}-${number}`, members(), {
          ...{ vips: [`10.0.0.${number}`, `fd00::${number}`] },
          ...attributes,
        }),
        protocol,
      );
    const number = 120 + 10 * i + 2 * j;
    return [one(number), restricted(one(number + 1)), closed(one(number + 30))];
  }),
);
/** Its members are asked for their health. */
function monitored(of: LoadBalancer): LoadBalancer {
  const pools = of.pools.map((one) => ({ ...one, healthMonitor: healthMonitor('TCP') }));
  return { ...of, pools, listeners: of.listeners.map((one) => ({ ...one, defaultPool: pools[0] })) };
}

const resident = (loadBalancer: LoadBalancer) =>
  loadBalancer.pools[0]!.members.map((member) => ({ loadBalancer, member, mac: macOf(1), ofport: 1 }));

const askedDatagrams = DATAGRAMS.flatMap((protocol, i) => {
  const one = (number: number) => carried(asking(`${protocol}-${number}`, number, 'ROUND_ROBIN'), protocol);
  return [one(140 + 2 * i), restricted(one(141 + 2 * i))];
});

/** Clients stay with their members. */
function sticking(of: LoadBalancer): LoadBalancer {
  const pools = of.pools.map((one) => ({
    ...one,
    sessionPersistence: { type: 'SOURCE_IP', cookieName: undefined } as const,
  }));
  return { ...of, pools, listeners: of.listeners.map((one) => ({ ...one, defaultPool: pools[0] })) };
}
const stickingAll = (['TCP', ...DATAGRAMS] as const).flatMap((protocol, i) => {
  const one = (number: number, algorithm: Pool['algorithm']) => {
    const of = asking(`${protocol}-${number}`, number, algorithm);
    return sticking(protocol === 'TCP' ? of : carried(of, protocol));
  };
  return [one(190 + 2 * i, 'LEAST_CONNECTIONS'), restricted(one(191 + 2 * i, 'SOURCE_IP_PORT'))];
});

/** A host on which everything that the pipeline knows happens at once. */
const everything = hostView({
  ports: [portView(1), portView(2, { ownerKey: 900, network: red })],
  uplinks: [
    { ofport: 9, tag: undefined },
    { ofport: 10, tag: 7 },
  ],
  strays: [39],
  residents: [direct, ...datagrams.filter(({ returnPath }) => returnPath === 'direct')].flatMap(resident),
  balancers: [
    balancerView(monitored(balancing('in', members(), { vips }))),
    balancerView(direct),
    balancerView(balancing('empty', [], { vips: ['10.0.0.115', 'fd00::115'] })),
    ...[...datagrams, ...askedDatagrams, ...stickingAll].map((one) => balancerView(one)),
    balancerView(asking('turns', 111, 'ROUND_ROBIN')),
    balancerView(asking('least', 112, 'LEAST_CONNECTIONS')),
    balancerView(restricted(asking('some-asking', 113, 'ROUND_ROBIN'))),
    balancerView(restricted(balancing('some', members(), { vips: ['10.0.0.108', 'fd00::108'] }))),
    balancerView(
      restricted(
        balancing('some-outside', members(), {
          ...{ vips: ['10.0.0.110', 'fd00::110'], placement: 'namespace', untilReady: 'switch' },
        }),
      ),
      { plug: 36, state: 'broken' },
    ),
    balancerView(
      restricted(balancing('some-direct', members(), { vips: ['10.0.0.109', 'fd00::109'], returnPath: 'direct' })),
    ),
    balancerView(closed(balancing('closed', members(), { vips: ['10.0.0.114', 'fd00::114'] }))),
    balancerView(balancing('owned', members(), { network: red, vips }), { ownerKey: 900 }),
    outside('out', 101, { plug: 30 }),
    outside('out4', 102, { plug: 31 }, { vips: ['10.0.0.102'] }),
    outside('out6', 103, { plug: 32 }, { vips: ['fd00::103'] }),
    outside('rest', 104, { plug: 33, state: 'broken' }),
    outside('handover', 105, { plug: 34 }, { untilReady: 'switch' }),
    outside('fallback', 106, { plug: 35, state: 'broken' }, { untilReady: 'switch' }),
  ],
  probes: [1, undefined].flatMap((ofport) =>
    ['10.0.0.21', 'fd00::21'].flatMap((address) =>
      (['tcp', 'udp', 'ping'] as const).map((kind) => {
        const asker = { source: address === '10.0.0.21' ? '10.0.0.100' : 'fe80::1', sourceMac: macOf(90) };
        return { network: blue, kind, address, port: kind === 'ping' ? undefined : 80, ofport, ...asker };
      }),
    ),
  ),
  neighbours: {
    [blue.id]: { '10.0.0.21': macOf(21), 'fd00::21': macOf(22) },
    [red.id]: { '10.0.0.21': macOf(23), 'fd00::21': macOf(24) },
  },
  addresses: { [blue.id]: ['10.0.0.240', 'fd00::240'] },
});

function desiredOf(view: typeof everything) {
  const desired = createDesired();
  desired.update(view);
  return { flows: [...desired.flows.values()].map(({ value }) => value), groups: desired.groups };
}

const templates = readdirSync(packaged('flows'))
  .filter((file) => file.endsWith('.flows'))
  .flatMap((file) => parseTemplates(readFileSync(packaged(`flows/${file}`), 'utf8'), { file, tables: TABLES }));

/** Something of the right kind for a variable. */
function sample(variable: string, unit: string): string | number {
  if (/mac$/.test(variable)) return macOf(1);
  const isIpv6 = /6(\/\w+)?$/.test(unit);
  if (variable === 'cidr') return isIpv6 ? 'fd00::/64' : '10.0.0.0/24';
  if (/^(vip|address|source|client)$/.test(variable)) return isIpv6 ? 'fd00::1' : '10.0.0.1';
  return 1;
}

/** All of a flow but its values. */
function shape({ tableId, priority, match, instructions }: Flow): string {
  const kinds = instructions.flatMap((one) => ('actions' in one ? one.actions.map(({ kind }) => kind) : [one.kind]));
  return `table ${tableId} priority ${priority}: ${Object.keys(match).sort()} → ${kinds}`;
}

const nested = (action: Action): readonly Action[] =>
  action.kind === 'ct' || action.kind === 'clone' ? [action, ...action.actions.flatMap(nested)] : [action];
const actionsOf = (instructions: readonly Instruction[]): readonly Action[] =>
  instructions.flatMap((one) => ('actions' in one ? one.actions.flatMap(nested) : []));

/** Tables to which a flow or a bucket hands a packet over. */
const handOvers = (actions: readonly Action[]): readonly number[] =>
  actions.flatMap((action) => {
    if (action.kind === 'resubmit_table') return [action.tableId];
    if (action.kind === 'ct' && action.tableId !== NO_TABLE) return [action.tableId];
    return [];
  });
const NO_TABLE = 255;

/** What a match says of a field: value and mask. */
function bitsOf(said: unknown): readonly [value: bigint, mask: bigint] {
  if (typeof said !== 'object' || said === null) return [BigInt(said as number), -1n];
  const { value, mask } = said as { readonly value: number; readonly mask: number };
  return [BigInt(value), BigInt(mask)];
}

/** Whether some packet fits both flows, neither goes before the other, and it matters. */
function isRival(a: Flow, b: Flow): boolean {
  if (a.tableId !== b.tableId || a.priority !== b.priority) return false;
  if (isDeepStrictEqual(a.instructions, b.instructions)) return false;
  const fields = canonicalMatch(b.match) as Readonly<Record<string, unknown>>;
  return Object.entries(canonicalMatch(a.match)).every(([field, said]) => {
    if (fields[field] === undefined) return true;
    const [[one, oneMask], [other, otherMask]] = [bitsOf(said), bitsOf(fields[field])];
    return ((one ^ other) & oneMask & otherMask) === 0n;
  });
}

describe('the templates in flows/', () => {
  it('are all used', () => {
    const sessions = ['10.0.0.11', 'fd00::11'].map((client) =>
      sessionFlow({ group: 1, client, prefixLength: client.includes(':') ? 128 : 32, member: 1 }, 60),
    );
    const passing = [...leaseFlows(), ...deniedFlows(1), ...sessions];
    const used = new Set([...desiredOf(everything).flows, ...passing].map(shape));
    for (const template of templates) {
      const variables = Object.fromEntries(template.variables.map((name) => [name, sample(name, template.unit)]));
      const one = shape(template.instantiate(variables));
      expect(used.has(one), `unit ${template.unit}, line ${template.line}: ${one}`).to.equal(true);
    }
  });

  it('make flows that are told apart, whatever happens on the host', () => {
    // createDesired throws when two claim one place.
    fc.assert(
      fc.property(anyView, (view) => {
        const { flows } = desiredOf(view);
        for (const { cookie } of flows) expect(cookie & COOKIE.mask).to.equal(COOKIE.value);
      }),
      { numRuns: 60 },
    );
  });

  it('hand packets only to tables that have flows, and goto only to later ones', () => {
    const { flows, groups } = desiredOf(everything);
    const tables = new Set(flows.map(({ tableId }) => tableId));
    for (const { tableId, instructions } of flows) {
      for (const one of instructions) {
        if (one.kind === 'goto_table') expect(one.tableId).to.be.above(tableId);
        if (one.kind === 'goto_table') expect(tables).to.include(one.tableId);
      }
      for (const next of handOvers(actionsOf(instructions))) expect(tables).to.include(next);
    }
    for (const { value } of groups.values()) {
      for (const next of handOvers(value.buckets.flatMap(({ actions }) => actions))) expect(tables).to.include(next);
    }
    expect([...tables].sort()).to.deep.equal(Object.values(TABLES).sort());
  });

  it('never leave it open which of two flows counts: those of one priority exclude each other', () => {
    const { flows } = desiredOf(everything);
    const rivals = flows.flatMap((one, i) =>
      flows.slice(i + 1).flatMap((other) => (isRival(one, other) ? [[printFlow(one), printFlow(other)]] : [])),
    );
    expect(rivals.map((pair) => pair.join('\n')).join('\n\n')).to.equal('');
  });

  it('refer only to groups that are desired as well, and all are ours', () => {
    fc.assert(
      fc.property(anyView, (view) => {
        const { flows, groups } = desiredOf(view);
        const referred = flows.flatMap(({ instructions }) =>
          actionsOf(instructions).flatMap((action) => (action.kind === 'group' ? [action.groupId] : [])),
        );
        for (const id of referred) expect(groups.has(String(id)), `group ${id}`).to.equal(true);
        for (const { value } of groups.values()) expect(isOurGroup(value.groupId)).to.equal(true);
      }),
      { numRuns: 60 },
    );
  });

  it('name their tables once', () => {
    expect(new Set(Object.values(TABLES)).size).to.equal(Object.keys(TABLES).length);
    expect(OWN_TABLES.map(([name]) => name)).to.not.include('ingress');
  });
});

describe('cookies', () => {
  it('name the kind and key of an object', () => {
    for (const kind of COOKIE_KINDS) {
      for (const key of [0, 1, 0xffff_ffff]) expect(readCookie(cookieOf(kind, key))).to.deep.equal({ kind, key });
    }
  });

  it('of others are not ours', () => {
    for (const cookie of [0n, 1n << 40n, 0x686c_0000_0000_0000n, 0x686c_ff00_0000_0001n, 0xffff_ffff_ffff_ffffn]) {
      expect(readCookie(cookie)).to.equal(undefined);
    }
  });
});
