/** Health monitors: who is not well gets nothing, everybody can see it, and all is as before when it is over. */
import { expect } from 'chai';
import type { MemberJson, PoolJson, StatisticsJson } from '../../src/api/resources.ts';
import { holdsLaw } from '../support/law.ts';
import { clearAway, nothingLeft } from '../support/leftovers.ts';
import { requireSystem } from '../support/requirements.ts';
import { addressesOf, BLUE, balancing, type Member, VIP4, VIPS, vmAt } from '../support/site.ts';
import { until } from '../support/until.ts';
import { World } from '../support/world.ts';

const TIMES = { delay: 1, timeout: 1, max_retries: 1, max_retries_down: 1 };
const HTTP = { ...TIMES, type: 'HTTP', url_path: '/health', expected_codes: '200-204' } as const;
const LOAD = { endpoints: VIPS.map((address) => ({ address })), perSecond: 40 };

const memberNamed = (name: string, more: Partial<Member> = {}): Member => {
  const [v4, v6] = addressesOf(20 + Number(name.slice(1)));
  return { name, address: name === 's2' ? v6 : v4, protocol_port: 80, ...more };
};

describe('health monitors', () => {
  const world = new World({
    part: 'hm',
    controller: ['--linger', '0.5'],
    topology: {
      hosts: [{ name: 'h1' }, { name: 'h2' }],
      networks: [BLUE],
      vms: [
        vmAt('c1', 'h1', 11),
        vmAt('c2', 'h2', 12),
        vmAt('s1', 'h1', 21),
        vmAt('s2', 'h2', 22),
        vmAt('s3', 'h2', 23),
      ],
    },
  });

  before(async function () {
    requireSystem(this, ['haproxy']);
    await world.up();
    await world.serve(['s1', 's2']);
  });
  after(() => world.down());
  afterEach(async () => {
    await holdsLaw(world);
    await nothingLeft(world);
    expect(world.restarts()).to.equal(0);
  });

  type More = Parameters<typeof balancing>[2];
  const apply = (members: readonly Member[], more: More) =>
    world.apply(balancing('web', members, { placement: 'namespace', algorithm: 'ROUND_ROBIN', ...more }));
  const poolNow = async (): Promise<PoolJson> => (await world.get<{ pools: PoolJson[] }>('/v2/lbaas/pools')).pools[0]!;
  const membersNow = async (): Promise<readonly MemberJson[]> =>
    (await world.get<{ members: MemberJson[] }>(`/v2/lbaas/pools/${(await poolNow()).id}/members`)).members;
  /** Resolves when members are as said: `{ s1: 'ONLINE' }`. */
  async function becomes(wanted: Readonly<Record<string, string>>): Promise<void> {
    let now: Readonly<Record<string, string>> = {};
    await until(
      async () => {
        now = Object.fromEntries((await membersNow()).map((member) => [member.name, member.operating_status]));
        return Object.entries(wanted).every(([name, status]) => now[name] === status);
      },
      { what: () => `${JSON.stringify(wanted)}; now ${JSON.stringify(now)}` },
    );
  }
  /** On every host, nobody else gets connections, and all of these do: one that is back has to wait for HAProxy's next round. */
  async function only(names: readonly string[]): Promise<void> {
    for (const vm of ['c1', 'c2']) {
      const seen = new Set<string>();
      const all = async (): Promise<boolean> => {
        for (const name of await world.vm(vm).sequence({ address: VIP4 }, 12)) seen.add(name);
        return seen.size >= names.length;
      };
      await until(all, { what: () => `${vm} is served by ${names}, not only by ${[...seen]}` });
      expect([...seen].sort(), vm).to.deep.equal(names);
    }
  }
  const ALL = ['s1', 's2', 's3'];
  const all = ALL.map((name) => memberNamed(name));

  describe('HTTP', () => {
    before(async () => {
      await apply(all, { pool: { healthmonitor: HTTP } });
      await world.vm('c1').run('load', LOAD);
    });
    after(async () => {
      // Nobody was sent to a member that was not well, nor cut off; what stopped had been found out before.
      const { failures, answers } = await world.vm('c1').run('unload');
      expect(failures).to.deep.equal([]);
      expect(Object.keys(answers).sort()).to.deep.equal(ALL);
    });

    it('a member gets nothing before its first success, and its share after it', async () => {
      await becomes({ s1: 'ONLINE', s2: 'ONLINE', s3: 'ERROR' });
      expect((await poolNow()).operating_status).to.equal('DEGRADED');
      await only(['s1', 's2']);
      await world.vm('s3').run('health', { status: 503 });
      await world.serve(['s3']);
      await only(['s1', 's2']);
      await world.vm('s3').run('health', { status: 204 });
      await becomes({ s3: 'ONLINE' });
      await only(ALL);
      expect((await poolNow()).operating_status).to.equal('ONLINE');
    });

    it('one that answers with another code gets no new connections, and is in ERROR', async () => {
      await world.vm('s1').run('health', { status: 500 });
      await becomes({ s1: 'ERROR' });
      await only(['s2', 's3']);
      const list = await world.cli('member', 'list', (await poolNow()).id);
      expect(list.stdout)
        .to.match(/s1 .*ERROR/)
        .and.match(/s2 .*ONLINE/);
      await world.vm('s1').run('health', { status: 200 });
      await becomes({ s1: 'ONLINE' });
      await only(ALL);
    });

    it('one that is ill for one host only is used by the others, and DEGRADED', async () => {
      // The addresses from which the balancers of h1 ask.
      const clients = (await world.vm('c1').run('fetch', { address: VIP4, count: 6 })).map(
        (said) => said.split(' ')[1]!,
      );
      await world.vm('s3').run('health', { status: 500, clients });
      await becomes({ s3: 'DEGRADED' });
      expect(new Set(await world.vm('c1').sequence({ address: VIP4 }, 12))).to.deep.equal(new Set(['s1', 's2']));
      expect(await world.vm('c2').sequence({ address: VIP4 }, 60)).to.include('s3');
      const [balancer] = await world.balancers();
      const { stats } = await world.get<{ stats: StatisticsJson }>(
        `/v1/loadbalancers/${balancer!.loadbalancer_id}/stats`,
      );
      const { hosts } = stats.members.find(({ name }) => name === 's3')!;
      expect(hosts.map(({ host, health }) => [host, health])).to.deep.equal([
        ['h1', 'ERROR'],
        ['h2', 'ONLINE'],
      ]);
      await world.vm('s3').run('health', { status: 200 });
      await becomes({ s3: 'ONLINE' });
    });
  });

  describe('TCP, and what monitors lead to', () => {
    it('TCP: a process that ends is noticed, and noticed when it is back', async () => {
      await clearAway(world);
      await apply(all, { pool: { healthmonitor: { ...TIMES, type: 'TCP' } } });
      await becomes({ s1: 'ONLINE', s2: 'ONLINE', s3: 'ONLINE' });
      await world.vm('s2').run('cease', { port: 80 });
      // Refused connections are tried with another member before it is known.
      await only(['s1', 's3']);
      await becomes({ s2: 'ERROR' });
      await world.vm('s3').run('cease', { port: 80 });
      await world.vm('s1').run('cease', { port: 80 });
      await becomes({ s1: 'ERROR', s3: 'ERROR' });
      expect((await poolNow()).operating_status).to.equal('ERROR');
      for (const address of VIPS) {
        expect((await world.vm('c1').run('fetch', { address }))[0]).to.match(/^error (ECONNRESET|socket hang up)$/);
      }
      await world.serve(ALL);
      await becomes({ s1: 'ONLINE', s2: 'ONLINE', s3: 'ONLINE' });
      await only(ALL);
    });

    it('backup members serve while no other can', async () => {
      await clearAway(world);
      const members = [memberNamed('s1'), memberNamed('s2', { backup: true }), memberNamed('s3', { backup: true })];
      await apply(members, { pool: { healthmonitor: HTTP } });
      await becomes({ s1: 'ONLINE', s2: 'ONLINE', s3: 'ONLINE' });
      await only(['s1']);
      await world.vm('s1').run('health', { status: 404 });
      await becomes({ s1: 'ERROR' });
      await only(['s2', 's3']);
      await world.vm('s1').run('health', { status: 200 });
      await becomes({ s1: 'ONLINE' });
      await only(['s1']);
    });

    it('asks where a member says', async () => {
      await clearAway(world);
      await world.serve(['s2'], 8080);
      const monitored = memberNamed('s1', { monitor_address: addressesOf(22)[0], monitor_port: 8080 });
      await apply([monitored, memberNamed('s3')], { pool: { healthmonitor: HTTP } });
      await becomes({ s1: 'ONLINE', s3: 'ONLINE' });
      await world.vm('s2').run('health', { status: 500 });
      await becomes({ s1: 'ERROR', s3: 'ONLINE' });
      await only(['s3']);
      await world.vm('s2').run('health', { status: 200 });
      await becomes({ s1: 'ONLINE' });
    });

    it('without its monitor, a member that was ill is used again', async () => {
      await world.vm('s2').run('health', { status: 500 });
      await becomes({ s1: 'ERROR' });
      await apply([memberNamed('s1'), memberNamed('s3')], {});
      await becomes({ s1: 'NO_MONITOR', s3: 'NO_MONITOR' });
      await only(['s1', 's3']);
    });
  });
});
