/** What listeners do beside balancing: headers, PROXY protocol, limits, who may connect, and time-outs. */
import { expect } from 'chai';
import { canonicalAddress } from '../../src/model/addresses.ts';
import { holdsLaw } from '../support/law.ts';
import { nothingLeft } from '../support/leftovers.ts';
import { requireSystem } from '../support/requirements.ts';
import { addressesOf, BLUE, balancing, membersAt, VIP4, VIPS, vmAt } from '../support/site.ts';
import { World } from '../support/world.ts';

/** Servers of s1 on this port expect a PROXY header. */
const PROXY_PORT = 8080;
const SECOND = addressesOf(150);

describe('features of listeners', () => {
  const world = new World({
    part: 'hf',
    controller: ['--linger', '0.5'],
    topology: {
      hosts: [{ name: 'h1' }],
      networks: [BLUE],
      vms: [vmAt('c1', 'h1', 11), vmAt('s1', 'h1', 21)],
    },
  });

  before(async function () {
    requireSystem(this, ['haproxy', 'iptables']);
    await world.up();
    await world.sh('c1', 'ip', 'addr', 'add', `${SECOND[0]}/24`, 'dev', 'eth0');
    await world.sh('c1', 'ip', 'addr', 'add', `${SECOND[1]}/64`, 'dev', 'eth0', 'nodad');
    await world.serve(['s1']);
    await world.vm('s1').run('serve', { port: PROXY_PORT, expectsProxy: true });
  });
  after(() => world.down());
  afterEach(async () => {
    await holdsLaw(world);
    await nothingLeft(world);
    expect(world.restarts()).to.equal(0);
  });

  type More = NonNullable<Parameters<typeof balancing>[2]>;
  const apply = (more: More, members = membersAt([21])) =>
    world.apply(balancing('web', members, { placement: 'namespace', algorithm: 'ROUND_ROBIN', ...more }));
  const HTTP: More = { listener: { protocol: 'HTTP' }, pool: { protocol: 'HTTP' } };

  it('X-Forwarded-For, -Port and -Proto tell members who asked, as far as they are wanted', async () => {
    const names = ['X-Forwarded-For', 'X-Forwarded-Port', 'X-Forwarded-Proto'];
    await apply({
      ...HTTP,
      listener: { protocol: 'HTTP', insert_headers: Object.fromEntries(names.map((name) => [name, 'true'])) },
    });
    for (const [i, address] of VIPS.entries()) {
      const told = { 'x-forwarded-port': '7', 'x-forwarded-proto': 'https', 'x-other': 'as it is' };
      const { headers } = await world.vm('c1').about({ address, from: addressesOf(11)[i]! }, told);
      expect(headers).to.include({
        'x-forwarded-for': addressesOf(11)[i],
        'x-forwarded-port': '80',
        'x-forwarded-proto': 'http',
        'x-other': 'as it is',
      });
    }
    await apply(HTTP);
    const { headers } = await world.vm('c1').about({ address: VIP4 });
    for (const name of names) expect(headers).to.not.have.property(name.toLowerCase());
  });

  for (const protocol of ['TCP', 'HTTP'] as const) {
    for (const [version, pool] of [
      [1, 'PROXY'],
      [2, 'PROXYV2'],
    ] as const) {
      it(`PROXY protocol ${version} tells members of a ${protocol} listener who asked`, async () => {
        const members = membersAt([21], { protocol_port: PROXY_PORT });
        await apply({ listener: { protocol }, pool: { protocol: pool } }, members);
        for (const [i, address] of VIPS.entries()) {
          // Members of both families are asked in turn: what is announced is the client's.
          for (let n = 0; n < 2; n++) {
            const from = addressesOf(11)[i]!;
            const { announced } = await world.vm('c1').about({ address, from });
            expect({ ...announced, source: canonicalAddress(announced!.source) }).to.deep.equal({
              version,
              source: from,
              port: 80,
            });
          }
        }
      });
    }
  }

  it('connection_limit: who is too much waits until another one ends', async () => {
    await apply({ listener: { connection_limit: 3 } });
    const client = world.vm('c1');
    for (const address of VIPS) {
      const first = await client.run('open', { address, count: 3 });
      expect((await client.run('ask', { first, count: 3 })).join()).to.not.include('error');
      const [silent] = await client.run('fetch', { address, timeoutMs: 500 });
      expect(silent).to.equal('error silent for 500 ms');
      const waiting = client.run('fetch', { address });
      await client.run('close', { first, count: 1 });
      expect((await waiting)[0]).to.match(/^s1 /);
      await client.run('close');
    }
  });

  it('allowed_cidrs: others are turned away at once', async () => {
    await apply({ listener: { allowed_cidrs: addressesOf(11).map((address, i) => `${address}/${[32, 128][i]}`) } });
    const client = world.vm('c1');
    for (const [i, address] of VIPS.entries()) {
      expect(await client.names({ address, from: addressesOf(11)[i]! }, 3)).to.deep.equal(['s1', 's1', 's1']);
      const [refused] = await client.run('fetch', { address, from: SECOND[i]! });
      expect(refused).to.match(/^error (ECONNRESET|socket hang up)$/);
    }
    await apply({ listener: { allowed_cidrs: ['10.0.0.0/24', 'fd00::/64'] } });
    for (const [i, address] of VIPS.entries()) {
      expect(await client.names({ address, from: SECOND[i]! })).to.deep.equal(['s1']);
    }
  });

  it('timeout_member_data: a member that is silent for too long is given up', async () => {
    await apply({ ...HTTP, listener: { protocol: 'HTTP', timeout_member_data: 700 } });
    const { status } = await world.vm('c1').run('request', { address: VIP4, path: '/wait/4000' });
    expect(status).to.equal(504);
    const slow = await world.vm('c1').run('request', { address: VIP4, path: '/wait/100' });
    expect([slow.status, slow.body.split(' ')[0]]).to.deep.equal([200, 's1']);
  });

  it('timeout_client_data: a client that is silent for too long is cut off', async () => {
    await apply({ listener: { timeout_client_data: 500 } });
    const client = world.vm('c1');
    const first = await client.run('open', { address: VIP4 });
    expect((await client.run('ask', { first }))[0]).to.match(/^s1 /);
    await client.run('ended', { first });
    expect((await client.run('ask', { first }))[0]).to.match(/^error /);
  });

  it('timeout_member_connect: a member that does not answer is given up, and another one taken', async () => {
    // Nobody takes connections there; the switch knows its MAC, so it is asked.
    await world.sh('s1', 'ip', 'addr', 'add', '10.0.0.29/24', 'dev', 'eth0');
    await world.sh('s1', 'iptables', ...'-A INPUT -d 10.0.0.29 -p tcp --dport 80 -j DROP'.split(' '));
    await apply({ listener: { timeout_member_connect: 200 } }, [
      ...membersAt([21]),
      { address: '10.0.0.29', protocol_port: 80 },
    ]);
    for (const address of VIPS) {
      const names = await world.vm('c1').names({ address }, 12);
      expect(new Set(names)).to.deep.equal(new Set(['s1']));
    }
  });
});
