/** What a VIP does while its balancer outside the switch is not ready: new, or broken; and what connections notice of it. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { killAll } from '../support/kill.ts';
import { holdsLaw } from '../support/law.ts';
import { requireSystem } from '../support/requirements.ts';
import { addressesOf, BLUE, balancing, membersAt, VIP4, VIPS, vmAt } from '../support/site.ts';
import { tracesOf } from '../support/traces.ts';
import { until } from '../support/until.ts';
import { World } from '../support/world.ts';

const NAMES = ['s1', 's2'];
const HOLD = ['10.0.0.102', 'fd00::102'];
const OPEN_COUNT = 8;
const OUTSIDE = { placement: 'namespace', algorithm: 'ROUND_ROBIN' } as const;
const run = promisify(execFile);

describe('until a balancer is ready', () => {
  const world = new World({
    part: 'ur',
    controller: ['--linger', '0.5'],
    topology: {
      hosts: [{ name: 'h1' }],
      networks: [BLUE, { name: 'poor', vlan: 9, subnets: ['10.0.9.0/24', 'fd09::/64'] }],
      vms: [
        vmAt('c1', 'h1', 11),
        vmAt('s1', 'h1', 21),
        vmAt('s2', 'h1', 22),
        { name: 'p1', host: 'h1', network: 'poor', ips: ['10.0.9.11', 'fd09::11'] },
        { name: 'p2', host: 'h1', network: 'poor', ips: ['10.0.9.12', 'fd09::12'] },
      ],
    },
  });

  before(async function () {
    requireSystem(this, ['haproxy', 'arping', 'ping']);
    await world.up();
    await Promise.all([world.serve([...NAMES, 'p2']), world.serve(NAMES, 8080)]);
  });
  after(() => world.down());
  afterEach(async () => {
    await holdsLaw(world);
    expect(world.restarts()).to.equal(0);
  });

  /** Asks that it be so; nothing is waited for. */
  const want = async (document: Parameters<World['apply']>[0]): Promise<void> => {
    await world.client.request('PUT', '/v1/apply', document);
  };
  const agentGone = () => world.lab.stopAgent('h1', { force: true });
  const agentBack = async (): Promise<void> => {
    world.lab.startAgent('h1');
    await world.ready();
  };
  const row = async (loadBalancer: string) =>
    (await world.balancers()).find(({ loadbalancer }) => loadbalancer === loadBalancer);
  /** Says of a balancer that it has failed, as its agent would. */
  async function fail(loadBalancer: string): Promise<void> {
    const { id } = (await row(loadBalancer))!;
    const where = [['_uuid', '==', ['uuid', id]]];
    const update = { op: 'update', table: 'Balancer', where, row: { state: 'failed', error: 'so says a test' } };
    await run('ovsdb-client', ['transact', `unix:${world.lab.paths.controllerDb}`, JSON.stringify(['Hostlb', update])]);
  }
  /** Who members see as the client of a new connection: the VM itself through the switch, else the host's own address. */
  async function through(address: string): Promise<'switch' | 'sandbox' | string> {
    const [answer] = await world.vm('c1').run('fetch', { address, timeoutMs: 500 });
    const client = answer!.split(' ')[1]!;
    if (!/^s[12] /.test(answer!)) return answer!;
    return addressesOf(11).includes(client) ? 'switch' : 'sandbox';
  }
  const goesThrough = async (way: 'switch' | 'sandbox', vips: readonly string[] = VIPS): Promise<void> => {
    for (const vip of vips)
      await until(async () => (await through(vip)) === way, { what: `${vip} through the ${way}` });
  };
  const isSilent = async (address: string, port = 80): Promise<void> => {
    const [answer] = await world.vm('c1').run('fetch', { address, port, timeoutMs: 400 });
    // Nobody answers the lookup, or nobody the connection; neither is a refusal.
    expect(answer).to.match(/^error (silent for 400 ms|EHOSTUNREACH)$/);
  };
  const lookUp = async (address: string): Promise<boolean> => {
    if (!address.includes(':')) {
      return (await world.lab.exec('c1', ['arping', '-c', '1', '-w', '1', '-I', 'eth0', address])).exitCode === 0;
    }
    await world.sh('c1', 'ip', '-6', 'neigh', 'flush', 'dev', 'eth0', 'nud', 'all');
    await world.lab.exec('c1', ['ping', '-c', '1', '-W', '1', address]);
    return (await world.sh('c1', 'ip', '-6', 'neigh', 'show', address, 'dev', 'eth0')).includes('lladdr');
  };

  /** Connections that are kept: each must always be answered by the member that answered first. */
  class Held {
    readonly #first = new Map<string, { readonly first: number; readonly answers: readonly string[] }>();

    async open(vips: readonly string[] = VIPS): Promise<this> {
      for (const address of vips) {
        const first = await world.vm('c1').run('open', { address, count: OPEN_COUNT });
        this.#first.set(address, { first, answers: await world.vm('c1').run('ask', { first, count: OPEN_COUNT }) });
      }
      return this;
    }

    async goOn(): Promise<void> {
      for (const [address, { first, answers }] of this.#first) {
        expect(answers.join(), address).to.not.include('error');
        expect(await world.vm('c1').run('ask', { first, count: OPEN_COUNT }), address).to.deep.equal(answers);
      }
    }
  }

  describe('switch', () => {
    const LOAD = { endpoints: VIPS.map((address) => ({ address })), perSecond: 100 };
    const shared = { ...OUTSIDE, until_ready: 'switch' } as const;
    let bySwitch: Held;
    let bySandbox: Held;

    it('serves before there is a sandbox, in both families', async () => {
      await agentGone();
      await want(balancing('web', membersAt([21, 22]), shared));
      await goesThrough('switch');
      for (const address of VIPS) {
        const names = await world.vm('c1').names({ address }, 40);
        expect([...new Set(names)].sort()).to.deep.equal(NAMES);
        expect(await lookUp(address)).to.equal(true);
      }
      expect(await row('web')).to.include({ state: 'pending' });
      // A member that is its own client, too.
      for (const address of VIPS) {
        const names = await world.vm('s1').names({ address }, 40);
        expect([...new Set(names)].sort()).to.deep.equal(NAMES);
      }
      bySwitch = await new Held().open();
      await world.vm('c1').run('load', LOAD);
    });

    it('hands over when the balancer is ready: new connections go to it, old ones go on', async () => {
      await agentBack();
      await goesThrough('sandbox');
      await bySwitch.goOn();
      bySandbox = await new Held().open();
    });

    it('falls back when it fails, and no connection of either kind breaks', async () => {
      await agentGone();
      await fail('web');
      await goesThrough('switch');
      await bySwitch.goOn();
      await bySandbox.goOn();
      expect(await row('web')).to.include({ state: 'failed', error: 'so says a test' });
    });

    it('hands over again, and all of them go on', async () => {
      const late = await new Held().open();
      await agentBack();
      await goesThrough('sandbox');
      for (const held of [bySwitch, bySandbox, late]) await held.goOn();
      await world.vm('c1').run('close');
    });

    it('and nobody who connected meanwhile was turned away', async () => {
      const { failures, answers } = await world.vm('c1').run('unload');
      expect(failures).to.deep.equal([]);
      expect(Object.keys(answers).sort()).to.deep.equal(NAMES);
    });

    it('serves while HAProxy is dead, and a VM that died with it is not left hanging', async () => {
      const dying = await world.vm('c1').run('open', { address: VIP4, count: 2 });
      await world.vm('c1').run('ask', { first: dying, count: 2 });
      await agentGone();
      killAll((await tracesOf(world, 'h1')).processes);
      await fail('web');
      await goesThrough('switch');
      for (const answer of await world.vm('c1').run('ask', { first: dying, count: 2 })) {
        expect(answer).to.match(/^error (the connection has ended|ECONNRESET|EPIPE)$/);
      }
      await agentBack();
      await goesThrough('sandbox');
      await world.vm('c1').run('close');
    });

    it('serves TCP only: HTTP, PROXY and what the switch must not let in wait', async () => {
      await agentGone();
      const listener = (port: number, more: object, pool: object = {}) => ({
        ...{ name: `l${port}`, protocol: 'TCP' as const, protocol_port: port },
        default_pool: {
          name: `p${port}`,
          lb_algorithm: 'LEAST_CONNECTIONS' as const,
          members: membersAt([21]),
          ...pool,
        },
        ...more,
      });
      const listeners = [
        listener(80, {}),
        listener(81, { protocol: 'HTTP' }, { protocol: 'HTTP' }),
        listener(82, {}, { protocol: 'PROXY' }),
        listener(83, { allowed_cidrs: ['10.0.0.128/25'] }),
        listener(84, { allowed_cidrs: ['10.0.0.0/25', 'fd00::/64'] }),
      ];
      const vips = ['10.0.0.103', 'fd00::103'];
      await want(balancing('mixed', [], { ...shared, vips, listeners }));
      await goesThrough('switch', vips);
      for (const vip of vips) for (const port of [81, 82, 83]) await isSilent(vip, port);
      for (const address of vips) expect(await world.vm('c1').names({ address, port: 84 })).to.deep.equal(['s1']);
      await agentBack();
      await goesThrough('sandbox', vips);
      for (const vip of vips) expect(await world.vm('c1').names({ address: vip, port: 81 })).to.deep.equal(['s1']);
      await world.remove('mixed');
    });

    it('serves where there is no address for a balancer, which says so', async () => {
      const vips = ['10.0.9.100', 'fd09::100'];
      const members = ['10.0.9.12', 'fd09::12'].map((address) => ({ address, protocol_port: 80 }));
      await want(balancing('poor-web', members, { ...shared, network: 'poor', vips }));
      for (const address of vips) {
        await until(async () => (await world.vm('p1').names({ address }))[0] === 'p2', { what: `${address} serves` });
      }
      await until(async () => (await row('poor-web'))?.state === 'failed', { what: 'its row says failed' });
      expect((await row('poor-web'))!.error).to.match(/^Network poor has no free IPv4 address/);
      await world.remove('poor-web');
    });
  });

  describe('hold', () => {
    const hold = { ...OUTSIDE, vips: HOLD };

    it('answers no lookup before the balancer is ready, and serves then', async () => {
      await agentGone();
      await want(balancing('held', membersAt([21, 22]), hold));
      await until(async () => (await row('held'))?.state === 'pending', { what: 'its row' });
      for (const vip of HOLD) {
        expect(await lookUp(vip), vip).to.equal(false);
        await isSilent(vip);
      }
      await agentBack();
      await goesThrough('sandbox', HOLD);
    });

    it('answers lookups when it has been ready once; old connections go on and new ones wait', async () => {
      const held = await new Held().open(HOLD);
      await agentGone();
      await fail('held');
      for (const vip of HOLD) {
        await until(async () => (await through(vip)).startsWith('error silent'), { what: `${vip} is silent` });
        expect(await lookUp(vip), vip).to.equal(true);
      }
      await held.goOn();
      const waiting = Promise.all(HOLD.map((address) => world.vm('c1').run('fetch', { address, timeoutMs: 20_000 })));
      await agentBack();
      for (const [answer] of await waiting) expect(answer).to.match(/^s[12] /);
      await held.goOn();
    });
  });
});
