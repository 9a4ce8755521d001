import { expect } from 'chai';
import fc from 'fast-check';
import { planChange } from '../../src/agent/haproxy-changes.ts';
import { renderConfig } from '../../src/agent/haproxy-config.ts';
import type { RunningServer } from '../../src/agent/haproxy-state.ts';
import type { LoadBalancer, Member, Pool } from '../../src/model/types.ts';
import { requireSystem } from '../support/requirements.ts';
import { type Balancer, Fixture } from './loopback.ts';
import { balancedPools, healthMonitor, listener, loadBalancer, member, memberLists, pool, withPools } from './model.ts';

const SURROUNDINGS = {
  statsSocket: '/run/x/stats.sock',
  stateFile: '/run/x/servers.state',
  chroot: '/run/x/empty',
  maxFiles: 1200,
  maxConnections: undefined,
  localAddresses: new Set<string>(),
  illMembers: new Set<string>(),
};

const configOf = (members: readonly Member[], given: Partial<Pool> = {}) =>
  renderConfig(loadBalancer([listener('http', pool('web', members, given), { protocol: 'HTTP' })]), SURROUNDINGS);

/** As HAProxy would tell after a start with these members. */
function running(members: readonly Member[], given: Partial<Pool> = {}) {
  const { version, servers } = configOf(members, given);
  const states = servers.map((server): RunningServer => {
    const { name, address, port, weight, isEnabled, isBackup, isChecked, checkAddress, checkPort } = server;
    const seen = {
      isInMaintenance: !isEnabled,
      isUp: true,
      secondsInState: 10,
      lastProbe: 'none',
      probeStatus: 1,
    } as const;
    return { name, address, port, weight, isEnabled, isBackup, isChecked, checkAddress, checkPort, ...seen };
  });
  return { version, servers: states };
}

const s1 = member('10.0.0.21', { id: 's1', key: 1 });
const s2 = member('10.0.0.22', { id: 's2', key: 2 });
const HTTP_COOKIE = { sessionPersistence: { type: 'HTTP_COOKIE', cookieName: undefined } } as const;
const MONITORED = { healthMonitor: healthMonitor('TCP') };

/** What a change takes. */
function takes(
  from: readonly Member[],
  to: readonly Member[],
  given: Partial<Pool> = {},
): readonly string[] | 'reload' {
  const change = planChange(running(from, given), configOf(to, given));
  return change.kind === 'reload' ? 'reload' : change.commands;
}

describe('changes of HAProxy', () => {
  const down = (one: Member): Member => ({ ...one, adminStateUp: false });

  it('takes nothing when nothing changes', () => expect(takes([s1, s2], [s2, s1])).to.deep.equal([]));

  it('adds a server before it removes another one', () => {
    expect(takes([s1], [s2])).to.deep.equal([
      'add server web/s2 10.0.0.22:80 id 2 weight 1',
      'set server web/s2 state ready',
      'set server web/s1 state maint',
      'del server web/s1',
    ]);
  });

  it('gives a new server its cookie', () => {
    expect(takes([s1], [s1, s2], HTTP_COOKIE)).to.deep.equal([
      'add server web/s2 10.0.0.22:80 id 2 weight 1',
      'set dynamic-cookie-key backend web web',
      'set server web/s2 state ready',
    ]);
  });

  it('keeps a new server with a health monitor down until a probe succeeds', () => {
    expect(takes([], [s1], MONITORED)).to.deep.equal([
      'add server web/s1 10.0.0.21:80 id 1 weight 1 check inter 1s rise 2 fall 3',
      'enable health web/s1',
      'set server web/s1 state drain',
      'set server web/s1 health down',
      'set server web/s1 state ready',
    ]);
    expect(takes([down(s1)], [s1], MONITORED).slice(-2)).to.deep.equal([
      'set server web/s1 health down',
      'set server web/s1 state ready',
    ]);
  });

  it('weighs, drains, disables and enables', () => {
    expect(takes([s1], [{ ...s1, weight: 7 }])).to.deep.equal(['set server web/s1 weight 7']);
    expect(takes([s1], [{ ...s1, weight: 0 }])).to.deep.equal(['set server web/s1 weight 0']);
    expect(takes([s1], [down(s1)])).to.deep.equal(['set server web/s1 state maint']);
    expect(takes([down(s1)], [s1])).to.deep.equal(['set server web/s1 state ready']);
    expect(takes([], [down(s1)])).to.deep.equal(['add server web/s1 10.0.0.21:80 id 1 weight 1']);
  });

  it('reloads for what a running server cannot become', () => {
    expect(takes([s1], [{ ...s1, backup: true }])).to.equal('reload');
    expect(takes([s1], [{ ...s1, monitorPort: 81 }], MONITORED)).to.equal('reload');
    expect(takes([s1], [{ ...s1, monitorAddress: '10.0.0.9' }], MONITORED)).to.equal('reload');
    expect(takes([s1], [{ ...s1, monitorPort: 81 }])).to.deep.equal([]);
  });

  it('reloads for all but servers', () => {
    const change = planChange(running([s1]), configOf([s1], { algorithm: 'LEAST_CONNECTIONS' }));
    expect(change.kind).to.equal('reload');
  });

  it('cuts the connections of a removed server after an hour, not before', () => {
    const commandsAfter = (secondsInState: number) => {
      const { version, servers } = running([s1]);
      const change = planChange(
        {
          version,
          servers: servers.map((server) => ({ ...server, isEnabled: false, isInMaintenance: true, secondsInState })),
        },
        configOf([]),
      );
      return change.kind === 'commands' ? change.commands : [];
    };
    expect(commandsAfter(3599)).to.deep.equal(['del server web/s1']);
    expect(commandsAfter(3600)).to.deep.equal(['shutdown sessions server web/s1', 'del server web/s1']);
  });
});

/** What must not depend on how it came about. */
async function stateOf(balancer: Balancer): Promise<unknown> {
  const csv = (await balancer.runtime.ask('@1 show stat -1 4 -1')).trim().split('\n');
  const column = csv[0]!.slice(2).split(',').indexOf('cookie');
  const cookies = new Map(
    csv
      .slice(1)
      .map((line) => line.split(','))
      .map((row) => [`${row[0]}/${row[1]}`, row[column]]),
  );
  return (await balancer.servers())
    .map(({ isUp: _, secondsInState: __, lastProbe: ___, probeStatus: ____, ...fixed }) => ({
      ...fixed,
      cookie: cookies.get(fixed.name),
    }))
    .sort((a, b) => a.name.localeCompare(b.name));
}

/** On this machine's loopback. */
const here = (balanced: LoadBalancer, ports: readonly number[]): LoadBalancer => {
  const moved = withPools(balanced, onLoopback);
  const listeners = moved.listeners.map((one, i) => ({ ...one, protocolPort: ports[i]! }));
  return { ...moved, vips: ['127.0.0.1', '::1'], listeners };
};
const onLoopback = (its: Pool): Pool => ({
  ...its,
  members: its.members.map((one) => ({ ...one, address: one.address.replace(/^10\./, '127.') })),
});

describe('changes of a running HAProxy', function () {
  this.timeout(300_000);
  const fixture = new Fixture();
  before(function () {
    requireSystem(this, ['haproxy']);
  });
  afterEach(() => fixture.end());

  it('end, whatever they are and in whatever order, where a fresh start with the last one would', async () => {
    const ports = [18_101, 18_102, 18_103, 18_104];
    await fc.assert(
      fc.asyncProperty(
        fc.array(balancedPools, { minLength: 2, maxLength: 5 }),
        fc.boolean(),
        async (steps, restarts) => {
          const [kept, fresh] = [await fixture.balancer(), await fixture.balancer()];
          try {
            for (const step of steps) {
              await kept.serve(here(step, ports));
              if (restarts) kept.restartAgent();
            }
            const incremental = await stateOf(kept);
            await kept.runtime.stop();
            await fresh.serve(here(steps.at(-1)!, ports));
            expect(incremental).to.deep.equal(await stateOf(fresh));
          } finally {
            await fixture.end();
          }
        },
      ),
      { numRuns: 20 },
    );
  });

  it('never reload while only members change, and end the same', async () => {
    const ports = [18_101, 18_102, 18_103, 18_104];
    const settled = ({ weight, adminStateUp, address }: Member): Member =>
      member(address, { weight, adminStateUp, backup: Number(address.at(-1)) % 2 === 0 });
    const lists = fc.array(
      memberLists.map((members) => members.map(settled)),
      { minLength: 3, maxLength: 8 },
    );
    await fc.assert(
      fc.asyncProperty(balancedPools, lists, fc.boolean(), async (base, steps, restarts) => {
        const loaded = steps.map((members) =>
          here(
            withPools(base, (its) => ({ ...its, members })),
            ports,
          ),
        );
        const [kept, fresh] = [await fixture.balancer(), await fixture.balancer()];
        try {
          await kept.serve(loaded[0]!);
          const worker = await kept.worker();
          for (const step of loaded.slice(1)) {
            await kept.serve(step);
            if (restarts) kept.restartAgent();
          }
          expect(await kept.worker()).to.equal(worker);
          const incremental = await stateOf(kept);
          await kept.runtime.stop();
          await fresh.serve(loaded.at(-1)!);
          expect(incremental).to.deep.equal(await stateOf(fresh));
        } finally {
          await fixture.end();
        }
      }),
      { numRuns: 20 },
    );
  });
});
