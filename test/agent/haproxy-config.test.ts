import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import fc from 'fast-check';
import { type ProxySurroundings, renderConfig } from '../../src/agent/haproxy-config.ts';
import type { LoadBalancer, Member, Pool } from '../../src/model/types.ts';
import { requireSystem } from '../support/requirements.ts';
import { balancedPools, healthMonitor, listener, loadBalancer, member, pool } from './model.ts';

const SURROUNDINGS: ProxySurroundings = {
  statsSocket: '/run/x/stats.sock',
  stateFile: '/run/x/servers.state',
  chroot: '/run/x/empty',
  maxFiles: 1200,
  maxConnections: undefined,
  localAddresses: new Set(['10.0.0.21']),
  illMembers: new Set<string>(),
};
const render = (balanced: LoadBalancer) => renderConfig(balanced, SURROUNDINGS);
const renderPool = (web: Pool) => render(loadBalancer([listener('http', web)]));
const weightsOf = (web: Pool) => Object.fromEntries(renderPool(web).servers.map(({ name, weight }) => [name, weight]));

const s1 = member('10.0.0.21', { id: 's1', key: 1 });
const s2 = member('fd00::22', { id: 's2', key: 2, weight: 0, protocolPort: 8080 });
const s3 = member('10.0.0.23', { id: 's3', key: 3, adminStateUp: false });
const members = [s1, s2, s3];
const web = pool('web', members);

describe('HAProxy configuration', () => {
  it('reads so', () => {
    const { text, version } = render(loadBalancer([listener('http', web)]));
    expect(text).to.equal(`global
  description ${version}
  nbthread 1
  maxconn 500
  max-spread-checks 200
  hard-stop-after 3600s
  mworker-max-reloads 10
  chroot /run/x/empty
  uid 65534
  gid 65534
  stats socket /run/x/stats.sock mode 600 level admin expose-fd listeners
  server-state-file /run/x/servers.state

defaults
  load-server-state-from-file global
  retries 3
  option redispatch 1
  option allbackups

frontend http
  bind 10.0.0.100:80
  bind [fd00::100]:80
  mode tcp
  timeout client 50000ms
  default_backend web

backend web
  mode tcp
  timeout connect 5000ms
  timeout server 50000ms
  balance roundrobin
  server s1 10.0.0.21:80 id 1 weight 1
  server s2 [fd00::22]:8080 id 2 weight 0
  server s3 10.0.0.23:80 id 3 weight 1 disabled
`);
  });

  it('reads so with all that a pool can have', () => {
    const { text } = render(
      loadBalancer([
        listener(
          'http',
          pool(
            'web',
            [member('10.0.0.21', { id: 's1', key: 1, backup: true, monitorAddress: '10.0.0.9', monitorPort: 81 })],
            {
              protocol: 'PROXYV2',
              algorithm: 'SOURCE_IP_PORT',
              sessionPersistence: { type: 'SOURCE_IP', cookieName: undefined },
              slowStartSeconds: 30,
              healthMonitor: healthMonitor('HTTPS', {
                http: {
                  method: 'HEAD',
                  urlPath: '/a?b=$c',
                  expectedCodes: '200-204',
                  version: '1.1',
                  domainName: 'x.example',
                },
              }),
            },
          ),
          {
            protocol: 'HTTP',
            connectionLimit: 7,
            insertHeaders: ['X-Forwarded-For', 'X-Forwarded-Port', 'X-Forwarded-Proto'],
            timeouts: { clientDataMs: 1, memberConnectMs: 2, memberDataMs: 3, tcpInspectMs: 4 },
            allowedCidrs: ['10.0.0.0/24', 'fd00::/64'],
          },
        ),
      ]),
    );
    expect(text.slice(text.indexOf('peers '))).to.equal(`peers tables
  bind abns@hostlb-lb-web
  server self
  table web type ipv6 size 10k

frontend http
  bind 10.0.0.100:80
  bind [fd00::100]:80
  mode http
  maxconn 7
  option idle-close-on-response
  timeout client 1ms
  tcp-request inspect-delay 4ms
  acl allowed src 10.0.0.0/24 fd00::/64
  tcp-request connection reject unless allowed
  option forwardfor
  http-request set-header X-Forwarded-Port %[dst_port]
  http-request set-header X-Forwarded-Proto http
  default_backend web

backend web
  mode http
  timeout connect 2ms
  timeout server 3ms
  tcp-request content set-var-fmt(txn.client) %ci:%cp
  balance hash var(txn.client)
  hash-type consistent
  stick on src table tables/web
  timeout check 2s
  option httpchk
  http-check send meth HEAD uri "/a?b=\\$c" ver HTTP/1.1 hdr Host "x.example"
  http-check expect status 200-204
  server s1 10.0.0.21:80 id 1 weight 1 backup addr 10.0.0.9 port 81 check inter 1s rise 2 fall 3 check-ssl verify none send-proxy-v2 slowstart 30s
`);
  });

  it('has one backend for a pool of two listeners, and another one for a listener with other time-outs or that speaks HTTP', () => {
    const other = { clientDataMs: 1, memberConnectMs: 2, memberDataMs: 3, tcpInspectMs: 0 };
    const { text } = render(
      loadBalancer([
        listener('a', web),
        listener('b', web, { protocolPort: 81 }),
        listener('c', web, { protocolPort: 82, timeouts: other }),
        listener('d', web, { protocolPort: 83, protocol: 'HTTP' }),
        listener('e', web, { protocolPort: 84, protocol: 'HTTPS' }),
      ]),
    );
    expect(text.match(/^(backend| {2}default_backend) .*$/gm)).to.deep.equal([
      '  default_backend web',
      '  default_backend web',
      '  default_backend web.2',
      '  default_backend web.3',
      '  default_backend web',
      'backend web',
      'backend web.2',
      'backend web.3',
    ]);
  });

  it('disables members that the controllers, which ask for them, have not found well, and asks nobody itself', () => {
    const pinged = pool('web', [s1, s2], { healthMonitor: healthMonitor('PING') });
    const of = loadBalancer([listener('http', pinged)]);
    const lines = (ill: readonly string[]) =>
      renderConfig(of, { ...SURROUNDINGS, illMembers: new Set(ill) }).text.match(/^ {2}(server|.*check).*$/gm);
    const [one, two] = ['server s1 10.0.0.21:80 id 1 weight 1', 'server s2 [fd00::22]:8080 id 2 weight 0'];
    expect(lines([])?.slice(-2)).to.deep.equal([`  ${one}`, `  ${two}`]);
    expect(lines(['s2'])?.slice(-2)).to.deep.equal([`  ${one}`, `  ${two} disabled`]);
    expect(renderConfig(of, SURROUNDINGS).text).not.to.match(/timeout check/);
  });

  it('has no frontend for a listener that is down, or whose pool is down or absent, or that is the switch’s', () => {
    const down = { adminStateUp: false };
    for (const one of [
      listener('names', pool('names', members, { protocol: 'UDP' }), { protocol: 'UDP' }),
      listener('http', web, down),
      listener('http', pool('web', members, down)),
      listener('http', undefined),
    ]) {
      expect(render(loadBalancer([one])).text).not.to.match(/^(frontend|backend)/m);
    }
  });

  it('limits connections to what a flavor says and open files allow', () => {
    const maxconn = (maxConnections: number | undefined) =>
      /^ {2}maxconn (\d+)$/m.exec(renderConfig(loadBalancer([]), { ...SURROUNDINGS, maxConnections }).text)![1];
    expect([undefined, 100, 1000].map(maxconn)).to.deep.equal(['500', '100', '500']);
  });

  it('keeps its version while servers come, go and change their weights and states, and no longer', () => {
    const version = (changed: readonly Member[], given: Partial<Pool> = {}) =>
      renderPool(pool('web', changed, given)).version;
    const known = version(members);
    expect(version([])).to.equal(known);
    expect(version([s1, { ...s1, id: 's9', key: 9, backup: true }])).to.equal(known);
    expect(version([{ ...s1, weight: 7, adminStateUp: false }])).to.equal(known);
    expect(version(members, { locality: 'prefer' })).to.equal(known);
    for (const given of [
      { algorithm: 'SOURCE_IP' },
      { slowStartSeconds: 1 },
      { protocol: 'PROXY' },
      { healthMonitor: healthMonitor('TCP') },
      { sessionPersistence: { type: 'SOURCE_IP', cookieName: undefined } },
    ] satisfies Partial<Pool>[]) {
      expect(version(members, given)).not.to.equal(known);
    }
  });

  describe('locality', () => {
    const far = member('10.0.0.22', { id: 'far', weight: 2 });
    const near = member('10.0.0.21', { id: 'near', weight: 2 });

    it('multiplies the weights of members on the same host', () => {
      expect(weightsOf(pool('web', [near, far], { locality: 'prefer', localityFactor: 10 }))).to.deep.equal({
        'web/near': 20,
        'web/far': 2,
      });
    });

    it('stays within what HAProxy can weigh, and nobody loses all', () => {
      const heavy = { ...near, weight: 256 };
      const light = member('10.0.0.23', { id: 'light' });
      const none = member('10.0.0.24', { id: 'none', weight: 0 });
      expect(
        weightsOf(pool('web', [heavy, far, light, none], { locality: 'prefer', localityFactor: 256 })),
      ).to.deep.equal({ 'web/near': 256, 'web/far': 1, 'web/light': 1, 'web/none': 0 });
    });

    it('leaves out members elsewhere when only members on the same host may serve', () => {
      expect(weightsOf(pool('web', [near, far], { locality: 'only' }))).to.deep.equal({ 'web/near': 2 });
    });
  });

  describe('as HAProxy reads it', () => {
    let dir: string;
    before(async function () {
      requireSystem(this, ['haproxy']);
      dir = await mkdtemp(join(tmpdir(), 'haproxy-'));
    });
    after(() => dir && rm(dir, { recursive: true }));

    it('is accepted, without a warning, whatever the model holds', async () => {
      const file = join(dir, 'haproxy.cfg');
      const stateFile = join(dir, 'servers.state');
      await writeFile(stateFile, '1\n');
      await fc.assert(
        fc.asyncProperty(balancedPools, async (balanced) => {
          const { text } = renderConfig(balanced, { ...SURROUNDINGS, stateFile });
          await writeFile(file, text);
          const { stderr } = await promisify(execFile)('haproxy', ['-c', '-f', file]);
          expect(stderr.split('\n').filter((line) => /WARNING|ALERT/.test(line))).to.deep.equal([]);
        }),
        { numRuns: 100 },
      );
    });
  });
});
