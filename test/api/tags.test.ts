import { expect } from 'chai';
import { type ApiFixture, addBlue, startApi } from '../support/api.ts';

const LBS = '/v2.0/lbaas/loadbalancers';

describe('API: tags', () => {
  let api: ApiFixture;
  before(async () => {
    api = await startApi();
    await addBlue(api.store);
  });
  after(() => api.stop());

  it('mark objects of every kind, are changed as a whole, and null takes them away', async () => {
    const tags = ['b', 'a', 'b'];
    const { body } = await api.send('POST', LBS, {
      loadbalancer: {
        vip_network_id: 'blue',
        tags,
        listeners: [
          {
            ...{ protocol: 'TCP', protocol_port: 80, tags },
            default_pool: {
              ...{ protocol: 'TCP', lb_algorithm: 'SOURCE_IP', tags },
              members: [{ address: '10.0.0.21', protocol_port: 80, tags }],
              healthmonitor: { type: 'TCP', delay: 1, timeout: 1, max_retries: 1, tags },
            },
          },
        ],
      },
    });
    const { loadbalancer } = body;
    const [listener] = loadbalancer.listeners;
    const { default_pool: pool } = listener;
    const objects = [
      ['loadbalancer', `${LBS}/${loadbalancer.id}`],
      ['listener', `/v2.0/lbaas/listeners/${listener.id}`],
      ['pool', `/v2.0/lbaas/pools/${pool.id}`],
      ['member', `/v2.0/lbaas/pools/${pool.id}/members/${pool.members[0].id}`],
      ['healthmonitor', `/v2.0/lbaas/healthmonitors/${pool.healthmonitor.id}`],
    ] as const;
    for (const [root, path] of objects) {
      expect((await api.send('GET', path)).body[root].tags, root).to.deep.equal(['a', 'b']);
      expect((await api.send('PUT', path, { [root]: { tags: ['c'] } })).body[root].tags, root).to.deep.equal(['c']);
      expect((await api.send('PUT', path, { [root]: { name: 'n' } })).body[root].tags, root).to.deep.equal(['c']);
      expect((await api.send('PUT', path, { [root]: { tags: null } })).body[root].tags, root).to.deep.equal([]);
    }
  });

  it('are searched by: all, any, not all, none', async () => {
    for (const [name, tags] of [
      ['x', ['red', 'blue']],
      ['y', ['red']],
      ['z', []],
    ] as const) {
      await api.store.createLoadBalancer({ name, network: 'blue', vips: [], tags });
    }
    const rows = [
      ['tags=red,blue', ['x']],
      ['tags=red&tags=blue', ['x']],
      ['tags-any=red,green', ['x', 'y']],
      ['not-tags=red,blue', ['y', 'z']],
      ['not-tags-any=blue', ['y', 'z']],
      ['tags=red&not-tags-any=blue', ['y']],
    ] as const;
    for (const [query, expected] of rows) {
      const { body } = await api.send('GET', `${LBS}?name=x&name=y&name=z&sort=name&${query}`);
      expect(
        body.loadbalancers.map(({ name }: { name: string }) => name),
        query,
      ).to.deep.equal(expected);
    }
  });

  it('are refused when there are too many, or an empty one', async () => {
    const create = (tags: readonly unknown[]) =>
      api.send('POST', LBS, { loadbalancer: { vip_network_id: 'blue', tags } });
    expect((await create(Array.from({ length: 101 }, String))).status).to.equal(409);
    expect((await create([''])).status).to.equal(400);
    expect((await create([5])).status).to.equal(400);
  });
});
