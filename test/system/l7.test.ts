/** L7 policies with real traffic: requests go where their policies say, and members of the pools behind them come and go. */
import { expect } from 'chai';
import type { Document } from '../../src/api/document.ts';
import type { L7PolicyJson, PoolJson } from '../../src/api/resources.ts';
import { holdsLaw } from '../support/law.ts';
import { nothingLeft } from '../support/leftovers.ts';
import { requireSystem } from '../support/requirements.ts';
import { BLUE, balancing, membersAt, VIP4, VIPS, vmAt } from '../support/site.ts';
import { until } from '../support/until.ts';
import { World } from '../support/world.ts';

type LoadBalancer = NonNullable<Document['load_balancers']>[number];
type Policies = NonNullable<NonNullable<LoadBalancer['listeners']>[number]['l7policies']>;

describe('L7 policies', function () {
  this.timeout(60_000);
  const world = new World({
    part: 'l7',
    controller: ['--linger', '0.5'],
    topology: {
      hosts: [{ name: 'h1' }, { name: 'h2' }],
      networks: [BLUE],
      vms: [vmAt('c1', 'h1', 11), vmAt('s1', 'h1', 21), vmAt('s2', 'h2', 22), vmAt('s3', 'h2', 23)],
    },
  });

  before(async function () {
    requireSystem(this, ['haproxy']);
    await world.up();
    await world.serve(['s1', 's2', 's3']);
  });
  after(() => world.down());
  afterEach(async () => {
    await holdsLaw(world);
    await nothingLeft(world);
    expect(world.restarts()).to.equal(0);
  });

  const HTTP = { protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN' } as const;
  const path = (compare_type: 'STARTS_WITH' | 'EQUAL_TO', value: string) =>
    ({ type: 'PATH', compare_type, value }) as const;

  /** Pool `pages` of s1 for what no policy leads to pool `special`. */
  const apply = (l7policies: Policies, special = membersAt([22]), pool: object = {}) =>
    world.apply(
      balancing('shop', membersAt([21]), {
        placement: 'namespace',
        listener: { protocol: 'HTTP', l7policies },
        pool: { ...HTTP, name: 'pages' },
        pools: [{ ...HTTP, name: 'special', members: special, ...pool }],
      }),
    );
  const request = (address: string, to: string, headers: Readonly<Record<string, string>> = {}) =>
    world.vm('c1').run('request', { address, path: to, headers });
  /** Who answered with what. */
  const answer = async (address: string, to: string, headers?: Readonly<Record<string, string>>) => {
    const { status, body, headers: answered } = await request(address, to, headers);
    return status === 200 ? body.split(' ')[0] : `${status} ${answered.location ?? ''}`.trim();
  };

  it('lead requests to a pool, send clients elsewhere, or reject them, by path, host, header and cookie', async () => {
    await apply([
      { redirect_pool: 'special', rules: [path('STARTS_WITH', '/img')] },
      { redirect_pool: 'special', rules: [{ type: 'HEADER', compare_type: 'EQUAL_TO', key: 'X-Beta', value: 'yes' }] },
      {
        redirect_pool: 'special',
        rules: [{ type: 'COOKIE', compare_type: 'STARTS_WITH', key: 'rank', value: 'gold' }],
      },
      { redirect_url: 'http://new.example/', rules: [path('EQUAL_TO', '/old')] },
      {
        ...{ redirect_prefix: 'https://safe.example', redirect_http_code: 301 },
        rules: [{ type: 'HOST_NAME', compare_type: 'REGEX', value: '^safe\\.' }],
      },
      {
        action: 'REJECT',
        rules: [
          path('STARTS_WITH', '/img/private'),
          { type: 'COOKIE', compare_type: 'EQUAL_TO', key: 'role', value: 'admin', invert: true },
        ],
      },
    ]);
    for (const vip of VIPS) {
      expect(await answer(vip, '/')).to.equal('s1');
      expect(await answer(vip, '/img/a')).to.equal('s2');
      expect(await answer(vip, '/', { 'X-Beta': 'yes' })).to.equal('s2');
      expect(await answer(vip, '/', { 'X-Beta': 'no' })).to.equal('s1');
      expect(await answer(vip, '/', { Cookie: 'a=b; rank=golden' })).to.equal('s2');
      expect(await answer(vip, '/old')).to.equal('302 http://new.example/');
      expect(await answer(vip, '/a?b=c', { Host: 'safe.shop' })).to.equal('301 https://safe.example/a?b=c');
      expect(await answer(vip, '/img/private')).to.equal('403');
      expect(await answer(vip, '/img/private', { Cookie: 'role=admin' })).to.equal('s2');
    }
  });

  it('serve alone, without a default pool', async () => {
    await apply([{ redirect_pool: 'special', rules: [path('STARTS_WITH', '/img')] }]);
    await world.cli('listener', 'set', 'shop-80', '--no-default-pool', '--wait');
    await until(async () => (await answer(VIP4, '/')) === '503', { what: 'nobody for what no policy matches' });
    expect(await answer(VIP4, '/img')).to.equal('s2');
    const made = await world.cli('l7policy', 'set', '--action', 'REJECT', await policyId(), '--wait');
    expect(made.code, made.stderr).to.equal(0);
    await until(async () => (await answer(VIP4, '/img')) === '403', { what: 'a rejection' });
  });

  const policyId = async () =>
    (await world.get<{ l7policies: L7PolicyJson[] }>('/v2/lbaas/l7policies')).l7policies[0]!.id;

  it('follow members of their pools while these come, go, fall ill and get well; open connections go on', async () => {
    const monitor = { healthmonitor: { type: 'TCP', delay: 1, timeout: 1, max_retries: 1, max_retries_down: 1 } };
    const all = [{ redirect_pool: 'special', rules: [path('EQUAL_TO', '/')] }];
    await apply(all, membersAt([22]), monitor);
    const client = world.vm('c1');
    await until(async () => (await answer(VIP4, '/')) === 's2', { what: 's2 found well' });
    const first = await client.run('open', { address: VIP4 });
    expect((await client.run('ask', { first }))[0]).to.match(/^s2 /);
    await apply(all, membersAt([22, 23]), monitor);
    await until(async () => (await client.names({ address: VIP4 }, 4)).includes('s3'), { what: 's3 in turn' });
    expect((await client.run('ask', { first }))[0]).to.match(/^s[23] /);
    await client.run('close');

    const status = async () =>
      (await world.get<{ pools: PoolJson[] }>('/v2/lbaas/pools?name=special')).pools[0]!.operating_status;
    await world.vm('s3').run('cease', { port: 80 });
    await until(async () => (await status()) === 'DEGRADED', { what: 's3 found ill' });
    expect(new Set(await client.names({ address: VIP4 }, 4))).to.deep.equal(new Set(['s2']));
    await world.serve(['s3']);
    await until(async () => (await status()) === 'ONLINE', { what: 's3 well again' });

    await apply(all, membersAt([23]), monitor);
    await until(async () => (await answer(VIP4, '/')) === 's3', { what: 's3 alone' });
    const { stdout } = await world.cli('member', 'list', 'special', '-o', 'json');
    expect(JSON.parse(stdout)).to.have.length(2);
  });
});
