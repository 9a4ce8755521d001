import { expect } from 'chai';
import { findHealthMonitor } from '../../src/model/lookup.ts';
import type { LoadBalancerSpec } from '../../src/store/index.ts';
import { expectModelRejection } from '../model/model-error.ts';
import { expectSameAsScratch, type Fixture, named, startFixture } from './fixture.ts';

/** A load balancer that uses everything that balancers outside the switch can do. */
const EVERYTHING: LoadBalancerSpec & { readonly name: string } = {
  name: 'shop',
  network: 'blue',
  vips: ['10.0.0.200', 'fd00::200'],
  placement: 'container',
  lookupMode: 'announce',
  untilReady: 'switch',
  listeners: [
    {
      protocol: 'HTTP',
      protocolPort: 80,
      connectionLimit: 100,
      insertHeaders: { 'X-Forwarded-Proto': 'true', 'X-Forwarded-For': 'true', 'X-Forwarded-Port': 'false' },
      timeouts: { clientDataMs: 1000, tcpInspectMs: 5 },
      allowedCidrs: ['fd00::/8', '10.0.0.0/8', '10.0.0.0/8'],
      defaultPool: {
        name: 'web',
        algorithm: 'LEAST_CONNECTIONS',
        locality: 'prefer',
        localityFactor: 20,
        sessionPersistence: { type: 'APP_COOKIE', cookieName: 'SESSION' },
        slowStartSeconds: 30,
        healthMonitor: {
          type: 'HTTP',
          delaySeconds: 5,
          timeoutSeconds: 3,
          maxRetries: 2,
          http: { urlPath: '/up?a=1', expectedCodes: '200-204', version: '1.1', domainName: 'shop.example' },
        },
        members: [
          { address: '10.0.0.21', protocolPort: 80 },
          { address: '10.0.0.22', protocolPort: 80, backup: true, monitorAddress: '10.0.0.23', monitorPort: 8080 },
        ],
      },
    },
    { protocol: 'TCP', protocolPort: 81, defaultPool: { algorithm: 'ROUND_ROBIN', protocol: 'PROXYV2' } },
  ],
};

describe('attributes of balancers outside the switch', () => {
  let fixture: Fixture;
  const store = () => fixture.store;
  const shop = () => named(fixture.store, 'shop');
  const web = () => shop().pools.find(({ name }) => name === 'web')!;

  before(async () => {
    fixture = await startFixture();
    await fixture.store.applyLoadBalancer(EVERYTHING);
  });
  after(() => fixture.stop());
  afterEach(() => expectSameAsScratch(fixture.store, fixture.server));

  it('are read back as they were given', () => {
    expect(shop()).to.include({ placement: 'container', lookupMode: 'announce', untilReady: 'switch' });
    const [http, tcp] = shop().listeners;
    expect(http).to.deep.include({
      protocol: 'HTTP',
      connectionLimit: 100,
      insertHeaders: ['X-Forwarded-For', 'X-Forwarded-Proto'],
      omittedHeaders: ['X-Forwarded-Port'],
      timeouts: { clientDataMs: 1000, memberConnectMs: 5000, memberDataMs: 50_000, tcpInspectMs: 5 },
      allowedCidrs: ['10.0.0.0/8', 'fd00::/8'],
    });
    expect([http!.defaultPool!.protocol, tcp!.defaultPool!.protocol]).to.deep.equal(['HTTP', 'PROXYV2']);
    expect(web()).to.deep.include({
      algorithm: 'LEAST_CONNECTIONS',
      locality: 'prefer',
      localityFactor: 20,
      sessionPersistence: { type: 'APP_COOKIE', cookieName: 'SESSION' },
      slowStartSeconds: 30,
    });
    expect(web().healthMonitor).to.deep.include({
      type: 'HTTP',
      delaySeconds: 5,
      timeoutSeconds: 3,
      maxRetries: 2,
      maxRetriesDown: 3,
      http: {
        method: 'GET',
        urlPath: '/up?a=1',
        expectedCodes: '200-204',
        version: '1.1',
        domainName: 'shop.example',
      },
      adminStateUp: true,
    });
    expect(web().members.map(({ backup, monitorAddress, monitorPort }) => [backup, monitorAddress, monitorPort]))
      .to //
      .deep.equal([
        [false, undefined, undefined],
        [true, '10.0.0.23', 8080],
      ]);
  });

  it('are applied once', async () => {
    const before = store().model;
    await store().applyLoadBalancer(EVERYTHING);
    expect(store().model).to.equal(before);
  });

  it('change one by one, and only what changes is another object', async () => {
    const before = shop();
    const [http, tcp] = before.listeners;
    const [first, second] = web().members;
    const monitor = web().healthMonitor!;
    await store().updateLoadBalancer(before.id, { lookupMode: 'static', untilReady: 'hold' });
    await store().updateListener(http!.id, { insertHeaders: {}, allowedCidrs: [], timeouts: { memberDataMs: 9 } });
    await store().updatePool(web().id, { sessionPersistence: { type: 'SOURCE_IP' }, locality: 'only' });
    await store().updateMember(web().id, second!.id, { backup: false, monitorAddress: null, monitorPort: null });
    await store().updateHealthMonitor(monitor.id, { delaySeconds: 9, http: { domainName: null, version: '1.0' } });
    expect(shop()).to.include({ lookupMode: 'static', untilReady: 'hold' });
    expect(shop().listeners[0]).to.deep.include({
      insertHeaders: [],
      omittedHeaders: [],
      allowedCidrs: [],
      timeouts: { ...http!.timeouts, memberDataMs: 9 },
    });
    expect(shop().listeners[1]).to.equal(tcp);
    expect(web()).to.deep.include({
      locality: 'only',
      sessionPersistence: { type: 'SOURCE_IP', cookieName: undefined },
    });
    expect(web().members[0]).to.equal(first);
    expect(web().members[1]).to.include({ backup: false, monitorAddress: undefined, monitorPort: undefined });
    expect(web().healthMonitor).to.deep.include({
      delaySeconds: 9,
      http: { ...monitor.http, domainName: undefined, version: '1.0' },
    });
    expect(web().healthMonitor!.updatedAt).to.be.a('string');
    await store().updatePool(web().id, { sessionPersistence: null });
    expect(web().sessionPersistence).to.equal(undefined);
    await store().applyLoadBalancer(EVERYTHING);
    const { generation: _before, updatedAt: _then, ...was } = before;
    expect(withoutTimes(shop())).to.deep.equal(withoutTimes({ ...was, generation: 0, updatedAt: undefined }));
  });

  it('of a health monitor: one for each pool, gone with it', async () => {
    const { id } = web().healthMonitor!;
    expect(findHealthMonitor(store().model, id)).to.deep.equal({
      loadBalancer: shop(),
      pool: web(),
      healthMonitor: web().healthMonitor,
    });
    const tcp = { type: 'TCP', delaySeconds: 1, timeoutSeconds: 1, maxRetries: 1 } as const;
    await expectModelRejection(store().createHealthMonitor(web().id, tcp), {
      code: 'conflict',
      message: 'This pool already has a health monitor',
    });
    const { generation } = await store().deleteHealthMonitor(id);
    expect(shop().generation).to.equal(generation);
    expect(web().healthMonitor).to.equal(undefined);
    await expectModelRejection(store().deleteHealthMonitor(id), {
      code: 'not-found',
      message: `Health Monitor ${id} not found.`,
    });
    const created = await store().createHealthMonitor(web().id, tcp);
    expect(web().healthMonitor).to.include({ id: created.id, type: 'TCP' });
    expect(web().healthMonitor!.key).to.be.greaterThan(web().key);
    // A monitor of another type is another monitor.
    await store().applyLoadBalancer(EVERYTHING);
    expect(web().healthMonitor).to.include({ type: 'HTTP' }).and.not.to.include({ id: created.id });
    await store().applyLoadBalancer({ ...EVERYTHING, listeners: [] });
    expect(await fixture.server.client('dump', 'Hostlb', 'Health_Monitor', 'type')).not.to.contain('HTTP');
  });
});

/** Everything but when things changed: what a caller sets. */
function withoutTimes(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (key, one) => (/^(updatedAt|generation)$/.test(key) ? undefined : one)));
}
