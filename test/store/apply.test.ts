import { expect } from 'chai';
import type { L7PolicySpec, LoadBalancerSpec } from '../../src/store/index.ts';
import { expectModelRejection } from '../model/model-error.ts';
import { expectSameAsScratch, type Fixture, named, startFixture } from './fixture.ts';

describe('applying a load balancer', () => {
  let fixture: Fixture;
  const member = (last: number, weight = 1) => ({ address: `10.0.0.${last}`, protocolPort: 80, weight });
  const spec = (change: Partial<LoadBalancerSpec> = {}): LoadBalancerSpec & { readonly name: string } => ({
    network: 'blue',
    vips: ['10.0.0.100'],
    listeners: [
      {
        name: 'http',
        protocol: 'TCP',
        protocolPort: 80,
        defaultPool: { algorithm: 'SOURCE_IP', members: [member(21), member(22)] },
      },
    ],
    ...change,
    name: 'web',
  });
  const web = () => named(fixture.store, 'web');

  before(async () => {
    fixture = await startFixture();
    await fixture.store.applyLoadBalancer(spec());
  });
  after(() => fixture.stop());
  afterEach(() => expectSameAsScratch(fixture.store, fixture.server));

  it('creates it once, and writes nothing when nothing differs', async () => {
    const before = fixture.store.model;
    const { id, generation } = await fixture.store.applyLoadBalancer(spec());
    expect(fixture.store.model).to.equal(before);
    expect([id, generation]).to.deep.equal([web().id, before.generation]);
    expect(before.loadBalancers.size).to.equal(1);
  });

  it('changes in place what matches, adds and removes the rest, in one change', async () => {
    const old = web();
    const { generation } = await fixture.store.applyLoadBalancer(
      spec({
        description: 'shop',
        listeners: [
          {
            protocol: 'TCP',
            protocolPort: 80,
            defaultPool: { algorithm: 'SOURCE_IP_PORT', members: [member(22, 5), member(23)] },
          },
          { protocol: 'TCP', protocolPort: 81, defaultPool: { algorithm: 'SOURCE_IP', members: [member(21)] } },
        ],
      }),
    );
    const now = web();
    expect(now.generation)
      .to.equal(old.generation + 1)
      .and.to.equal(generation);
    expect(now.description).to.equal('shop');
    expect(now.listeners.map((one) => [one.protocolPort, one.name])).to.deep.equal([
      [80, ''],
      [81, ''],
    ]);
    expect(now.listeners[0]!.id).to.equal(old.listeners[0]!.id);
    expect(now.pools[0]).to.include({ id: old.pools[0]!.id, algorithm: 'SOURCE_IP_PORT' });
    expect(now.pools[0]!.members.map((one) => [one.address, one.weight])).to.deep.equal([
      ['10.0.0.22', 5],
      ['10.0.0.23', 1],
    ]);
    expect(now.pools[0]!.members[0]!.id).to.equal(old.pools[0]!.members[1]!.id);
    expect(now.listeners[1]!.defaultPool).to.equal(now.pools[1]);
  });

  it('keeps pools of the same name apart', async () => {
    const { name: _web, ...shared } = spec();
    const twins = { ...shared, name: 'twins', vips: ['10.0.0.104'], listeners: [] };
    const pools = [
      { name: 'a', protocol: 'TCP', algorithm: 'SOURCE_IP' },
      { name: 'a', protocol: 'TCP', algorithm: 'SOURCE_IP_PORT' },
    ] as const;
    const { id } = await fixture.store.applyLoadBalancer({ ...twins, pools });
    const before = fixture.store.model;
    await fixture.store.applyLoadBalancer({ ...twins, pools });
    expect(fixture.store.model).to.equal(before);
    await fixture.store.deleteLoadBalancer(id, { cascade: true });
  });

  it('follows pools by name from listener to listener', async () => {
    const pool = { name: 'shared', algorithm: 'SOURCE_IP' as const, members: [member(21)] };
    const on = (protocolPort: number) => ({ protocol: 'TCP' as const, protocolPort, defaultPool: 'shared' });
    await fixture.store.applyLoadBalancer(spec({ pools: [pool], listeners: [on(80)] }));
    const [before] = web().pools;
    await fixture.store.applyLoadBalancer(spec({ pools: [pool], listeners: [on(82), on(83)] }));
    expect(web().pools).to.deep.equal([before]);
    expect(web().listeners.map((one) => [one.protocolPort, one.defaultPool])).to.deep.equal([
      [82, before],
      [83, before],
    ]);
  });

  describe('with L7 policies', () => {
    const pool = (name: string) => ({ name, protocol: 'HTTP', algorithm: 'SOURCE_IP' }) as const;
    const path = (value: string) => ({ type: 'PATH', compareType: 'STARTS_WITH', value }) as const;
    const api = { name: 'api', redirectPool: 'api', rules: [path('/api'), path('/v1')] };
    const images = { redirectPool: { ...pool(''), members: [member(22)] }, rules: [path('/img')] };
    const reject = { name: 'reject', action: 'REJECT', rules: [path('/private')] } as const;
    const apply = async (l7Policies: readonly L7PolicySpec[]) => {
      const http = { protocol: 'HTTP', protocolPort: 80, l7Policies } as const;
      const outside = { vips: ['10.0.0.103'], placement: 'namespace', pools: [pool('api')] } as const;
      await fixture.store.applyLoadBalancer({ ...spec({ ...outside, listeners: [http] }), name: 'outside' });
      return named(fixture.store, 'outside');
    };

    it('keeps policies, rules and pools that are the same', async () => {
      const before = await apply([api, images, reject]);
      const policies = before.listeners[0]!.l7Policies;
      expect(policies.map(({ name, rules }) => [name, rules.length])).to.deep.equal([
        ...[['api', 2] as const, ['', 1] as const, ['reject', 1] as const],
      ]);
      expect(await apply([api, images, reject])).to.equal(before);
      const moved = await apply([reject, { ...api, rules: [path('/v1'), path('/v2')] }, images]);
      const [first, second, third] = moved.listeners[0]!.l7Policies;
      expect([first, third]).to.deep.equal([policies[2], policies[1]]);
      expect(second!.id).to.equal(policies[0]!.id);
      expect(second!.rules.map(({ value }) => value)).to.deep.equal(['/v1', '/v2']);
      expect(second!.rules[0]).to.equal(policies[0]!.rules[1]);
      expect(moved.pools).to.deep.equal(before.pools);
    });

    it('lets go of what is no longer mentioned', async () => {
      const { listeners, pools } = await apply([{ ...api, redirectPool: undefined, redirectUrl: 'http://x' }]);
      const [only] = listeners[0]!.l7Policies;
      expect(listeners[0]!.l7Policies).to.have.length(1);
      expect(only).to.include({ action: 'REDIRECT_TO_URL', redirectUrl: 'http://x', redirectPool: undefined });
      expect(pools.map(({ name }) => name)).to.deep.equal(['api']);
      expect((await apply([])).listeners[0]!.l7Policies).to.deep.equal([]);
    });
  });

  it('removes what is no longer mentioned', async () => {
    await fixture.store.applyLoadBalancer(spec({ listeners: [] }));
    expect([web().listeners, web().pools]).to.deep.equal([[], []]);
  });

  it('refuses to change what cannot change, naming both values', async () => {
    await fixture.store.putNetwork({ name: 'red', vlan: 2, subnets: ['10.0.0.0/24'] });
    for (const [change, message] of [
      [{ vips: ['10.0.0.101'] }, 'load balancer web: vips cannot change from 10.0.0.100 to 10.0.0.101'],
      [{ placement: 'namespace' }, 'placement cannot change from switch to namespace'],
      [{ network: 'red' }, 'network cannot change from blue to red'],
    ] as const) {
      await expectModelRejection(fixture.store.applyLoadBalancer(spec(change)), { code: 'conflict', message });
    }
    await fixture.store.applyLoadBalancer(spec({ vips: [] }));
    expect(web().vips).to.deep.equal(['10.0.0.100']);
  });

  it('tells owners apart and refuses an ambiguous name', async () => {
    await fixture.store.applyLoadBalancer(spec({ owner: 'other', vips: ['10.0.0.102'], listeners: [] }));
    expect(fixture.store.model.loadBalancers.size).to.equal(2);
    await fixture.store.createLoadBalancer({ name: 'web', network: 'blue', vips: [] });
    await expectModelRejection(fixture.store.applyLoadBalancer(spec()), {
      code: 'conflict',
      message: '2 load balancers are named web',
    });
    await expectModelRejection(fixture.store.applyLoadBalancer({ ...spec(), name: '' }), {
      code: 'invalid',
      message: 'without a name',
    });
  });
});
