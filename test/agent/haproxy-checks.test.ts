import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer as createHttpsServer } from 'node:https';
import { createServer as createTcpServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { HEALTH_MONITOR_DEFAULTS } from '../../src/model/defaults.ts';
import type { HealthMonitor, Member, MemberHealth, Pool } from '../../src/model/types.ts';
import { requireSystem } from '../support/requirements.ts';
import { type Backend, type Balancer, Fixture, freePort, request, shares } from './loopback.ts';
import { healthMonitor, listener, loadBalancer, member, pool } from './model.ts';

const { http } = HEALTH_MONITOR_DEFAULTS;

describe('health monitors of HAProxy', () => {
  const fixture = new Fixture();
  let port: number;
  let url: string;
  let memberPort: number;
  let backends: Backend[];
  let members: Member[];
  let balancer: Balancer;
  before(function () {
    requireSystem(this, ['haproxy', 'openssl']);
  });
  beforeEach(async () => {
    ({ port: memberPort, backends } = await fixture.backends(2));
    members = [1, 2].map((i) => member(`127.0.0.${i}`, { id: `s${i}`, key: i, protocolPort: memberPort }));
    port = await freePort();
    url = `http://127.0.0.1:${port}/`;
    balancer = await fixture.balancer();
  });
  afterEach(() => fixture.end());

  const serve = (its: readonly Member[], monitor: HealthMonitor | undefined, given: Partial<Pool> = {}) => {
    const web = pool('web', its, { healthMonitor: monitor, ...given });
    return balancer.serve(
      loadBalancer([listener('web', web, { protocol: 'HTTP', protocolPort: port })], { vips: ['127.0.0.1'] }),
    );
  };
  const http200 = (given: Partial<HealthMonitor['http']> = {}, rest: Partial<HealthMonitor> = {}) =>
    healthMonitor('HTTP', { http: { ...http, urlPath: '/health', ...given }, ...rest });
  const isUp = ({ isUp: up }: { readonly isUp: boolean }): boolean => up;
  const isDown = ({ isUp: up, lastProbe }: { readonly isUp: boolean; readonly lastProbe: string }): boolean =>
    !up && lastProbe === 'failed';
  const health = async (): Promise<Readonly<Record<string, MemberHealth>>> => (await balancer.observe()).memberHealth;

  it('TCP: a member is in service while its port is open', async () => {
    await serve(members, healthMonitor('TCP', { maxRetriesDown: 1, maxRetries: 1 }));
    for (const { id } of members) await balancer.until(id, isUp);
    expect(await shares(url, 10)).to.deep.equal({ s1: 5, s2: 5 });
    await backends[1]!.close();
    await balancer.until('s2', isDown);
    expect(await health()).to.deep.equal({ s1: 'ONLINE', s2: 'ERROR' });
    expect(await shares(url, 10)).to.deep.equal({ s1: 10 });
    await backends[1]!.listen(memberPort);
    await balancer.until('s2', isUp);
    expect(await shares(url, 10)).to.deep.equal({ s1: 5, s2: 5 });
  });

  it('HTTP: asks with method, path, version and host as configured', async () => {
    const asked = (i: number) => {
      const { method, url: path, headers } = backends[i]!.requests.at(-1)!;
      return { method, path, host: headers.host };
    };
    await serve([members[0]!], http200({ method: 'HEAD', urlPath: "/a.b/~c?d=(e);f=$g&h='i'" }));
    await balancer.until('s1', isUp);
    expect(asked(0)).to.deep.equal({ method: 'HEAD', path: "/a.b/~c?d=(e);f=$g&h='i'", host: undefined });
    await serve([members[1]!], http200({ version: '1.1', domainName: 'shop.example' }));
    await balancer.until('s2', isUp);
    expect(asked(1)).to.deep.equal({ method: 'GET', path: '/health', host: 'shop.example' });
  });

  for (const [expectedCodes, well, ill] of [
    ['200', [200], [204, 500]],
    ['200,404', [200, 404], [201, 403]],
    ['200-204', [200, 204], [199 + 6, 404]],
  ] as const) {
    it(`HTTP: takes the codes ${expectedCodes} for well, and no others`, async () => {
      await serve([], http200({ expectedCodes }));
      let key = 10;
      for (const [codes, isSo] of [
        [well, isUp],
        [ill, isDown],
      ] as const) {
        for (const status of codes) {
          backends[0]!.status = status;
          const id = `m${status}`;
          await serve([{ ...members[0]!, id, key: key++ }], http200({ expectedCodes }));
          await balancer.until(id, isSo);
        }
      }
    });
  }

  it('sends nothing to a member before a probe succeeds: at the start, when it is added, when it is enabled', async () => {
    const rare = http200({}, { delaySeconds: 1, maxRetries: 3 });
    for (const backend of backends) backend.status = 500;
    await serve(members, rare);
    expect((await request(url)).status).to.equal(503);
    for (const { id } of members) await balancer.until(id, isDown);
    backends[0]!.status = 200;
    await balancer.until('s1', ({ lastProbe }) => lastProbe === 'passed');
    await balancer.observe();
    expect(await shares(url, 4)).to.deep.equal({ s1: 4 });

    const later = { ...members[1]!, id: 's9', key: 9 };
    await serve([members[0]!, later], rare);
    expect(await shares(url, 4)).to.deep.equal({ s1: 4 });
    await serve([members[0]!, { ...later, adminStateUp: false }], rare);
    await serve([members[0]!, later], rare);
    expect(await shares(url, 4)).to.deep.equal({ s1: 4 });
    expect((await balancer.servers()).map(({ name, isUp: up }) => [name, up])).to.deep.equal([
      ['web/s1', true],
      ['web/s9', false],
    ]);
    const asked = backends[1]!.requests.filter(({ url: path }) => path === '/');
    expect(asked).to.deep.equal([]);
  });

  it('is in service with the first success of a new member, however many a failed one needs and however rare probes are', async () => {
    const rare = http200({}, { delaySeconds: 3600, maxRetries: 10 });
    await serve(members, rare);
    expect(await shares(url, 10)).to.deep.equal({ s1: 5, s2: 5 });
    await serve([...members, { ...members[0]!, id: 's9', key: 9 }], rare);
    await balancer.until('s9', isUp);
  });

  it('knows who is well over a reload and a new start, so that nobody waits', async () => {
    const rare = http200({}, { delaySeconds: 3600 });
    await serve(members, rare);
    for (const { id } of members) await balancer.until(id, isUp);
    for (const backend of backends) backend.status = 500;
    const worker = await balancer.worker();
    const other = { ...rare, delaySeconds: 3599 };
    await serve(members, other);
    expect(await balancer.worker()).not.to.equal(worker);
    expect(await shares(url, 10)).to.deep.equal({ s1: 5, s2: 5 });
    await balancer.haproxy.stop({ isKind: false });
    await serve(members, other);
    expect(await shares(url, 10)).to.deep.equal({ s1: 5, s2: 5 });
  });

  it('keeps members in service when their pool gets a health monitor, until it finds them ill', async () => {
    await serve(members, undefined);
    for (const backend of backends) backend.status = 500;
    await serve(members, http200({}, { delaySeconds: 1, maxRetriesDown: 1 }));
    for (const { id } of members) await balancer.until(id, isDown);
    expect((await request(url)).status).to.equal(503);
    await serve(members, http200({}, { adminStateUp: false }));
    expect(await shares(url, 10)).to.deep.equal({ s1: 5, s2: 5 });
  });

  it('waits for as many failures and successes as configured', async () => {
    await serve([members[0]!], http200({}, { maxRetries: 2, maxRetriesDown: 2 }));
    await balancer.until('s1', isUp);
    const probes = () => backends[0]!.requests.length;
    backends[0]!.status = 500;
    const before = probes();
    await balancer.until('s1', isDown);
    expect(probes() - before).to.equal(2);
    backends[0]!.status = 200;
    await balancer.until('s1', isUp);
    expect(probes() - before).to.equal(4);
  });

  it('asks at another address and port if a member says so', async () => {
    const other = await fixture.backends(2);
    other.backends[1]!.status = 500;
    const asking = { monitorAddress: '127.0.0.2', monitorPort: other.port };
    await serve(
      [
        { ...members[0]!, ...asking },
        { ...members[1]!, monitorPort: other.port, monitorAddress: '127.0.0.1' },
      ],
      http200(),
    );
    await balancer.until('s1', isDown);
    await balancer.until('s2', isUp);
    expect(await shares(url, 4)).to.deep.equal({ s2: 4 });
  });

  it('tells members by what is known of them', async () => {
    const disabled = { ...members[0]!, id: 'off', key: 21, adminStateUp: false };
    const drained = { ...members[0]!, id: 'drained', key: 22, weight: 0 };
    const unknown = { ...members[0]!, id: 'unknown', key: 23, monitorPort: await silentServer() };
    const dead = { ...members[0]!, id: 'dead', key: 24, monitorPort: await freePort() };
    const rare = http200({}, { timeoutSeconds: 3600, delaySeconds: 3600 });
    await serve([members[0]!, disabled, drained, unknown, dead], rare);
    for (const id of ['s1', 'drained']) await balancer.until(id, isUp);
    await balancer.until('dead', isDown);
    expect(await health()).to.deep.equal({
      s1: 'ONLINE',
      off: 'OFFLINE',
      drained: 'DRAINING',
      unknown: 'OFFLINE',
      dead: 'ERROR',
    });
    await serve([members[0]!, disabled, drained], undefined);
    expect(await health()).to.deep.equal({ s1: 'NO_MONITOR', off: 'OFFLINE', drained: 'DRAINING' });
  });

  describe('over TLS', () => {
    let key: string;
    let cert: string;
    before(async () => {
      const dir = await mkdtemp(join(tmpdir(), 'haproxy-'));
      const files = ['-keyout', join(dir, 'key.pem'), '-out', join(dir, 'cert.pem')];
      const words = [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:prime256v1',
        '-nodes',
        '-subj',
        '/CN=x',
      ];
      await promisify(execFile)('openssl', [...words, ...files]);
      [key, cert] = await Promise.all([readFile(files[1]!, 'utf8'), readFile(files[3]!, 'utf8')]);
      await rm(dir, { recursive: true });
    });

    async function listening(server: Server): Promise<number> {
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      fixture.defer(() => server.close());
      const address = server.address();
      return typeof address === 'object' ? address!.port : 0;
    }
    const probed = (monitorPort: number): Member => ({ ...members[0]!, monitorPort });

    it('HTTPS: asks a server whose certificate nobody vouches for', async () => {
      const paths: string[] = [];
      const server = createHttpsServer({ key, cert }, (asked, response) => {
        paths.push(asked.url!);
        response.end();
      });
      await serve([probed(await listening(server))], { ...http200(), type: 'HTTPS' });
      await balancer.until('s1', isUp);
      expect(paths).to.include('/health');
    });

    it('HTTPS: a server that does not speak TLS is down', async () => {
      await serve(members, { ...http200(), type: 'HTTPS' });
      await balancer.until('s1', isDown);
    });

    it('TLS-HELLO: a server that speaks TLS is up, be it of today', async () => {
      const server = createTlsServer({ key, cert, minVersion: 'TLSv1.3' });
      server.on('tlsClientError', () => {});
      await serve([probed(await listening(server))], healthMonitor('TLS-HELLO'));
      await balancer.until('s1', isUp);
    });

    it('TLS-HELLO: another one is down', async () => {
      await serve(members, healthMonitor('TLS-HELLO'));
      await balancer.until('s1', isDown);
    });
  });

  /** A port that takes connections and says nothing. */
  async function silentServer(): Promise<number> {
    const server = createTcpServer((socket) => socket.on('error', () => {}).resume()).listen(0, '127.0.0.1');
    await once(server, 'listening');
    fixture.defer(() => server.close());
    const address = server.address();
    return typeof address === 'object' ? address!.port : 0;
  }
});
