import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { expect } from 'chai';
import type { Listener, Member, Pool, PoolProtocol } from '../../src/model/types.ts';
import { requireSystem } from '../support/requirements.ts';
import { until } from '../support/until.ts';
import { Fixture, freePort, request, shares, who } from './loopback.ts';
import { listener, loadBalancer, member, pool } from './model.ts';

const HTTP = { protocol: 'HTTP' } as const;

describe('listeners of HAProxy', () => {
  const fixture = new Fixture();
  let port: number;
  before(function () {
    requireSystem(this, ['haproxy']);
  });
  beforeEach(async () => {
    port = await freePort();
  });
  afterEach(() => fixture.end());

  interface Given {
    readonly members: readonly Member[];
    readonly listener?: Partial<Listener>;
    readonly pool?: Partial<Pool>;
  }

  async function serve({ members, listener: ofListener = {}, pool: ofPool = {} }: Given) {
    const balancer = await fixture.balancer();
    const web = listener('web', pool('web', members, ofPool), { protocolPort: port, ...ofListener });
    await balancer.serve(loadBalancer([web], { vips: ['127.0.0.1', '::1'] }));
    return balancer;
  }

  async function one(given: Omit<Given, 'members'> = {}) {
    const { port: memberPort, backends } = await fixture.backends(1);
    const balancer = await serve({ members: [member('127.0.0.1', { protocolPort: memberPort })], ...given });
    return { balancer, backend: backends[0]! };
  }

  /** A member that says nothing, and keeps its connections and what came over them. */
  async function silent(address = '127.0.0.1') {
    const sockets: Socket[] = [];
    let heard = '';
    const server = createServer((socket) => {
      sockets.push(socket);
      socket
        .on('error', () => {})
        .on('data', (data) => {
          heard += data.toString('latin1');
        });
    }).listen(0, address);
    await once(server, 'listening');
    fixture.defer(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    const { port: memberPort } = server.address() as AddressInfo;
    return { member: member(address, { protocolPort: memberPort }), sockets, heard: () => heard };
  }

  async function client(localAddress?: string): Promise<Socket> {
    const socket = connect({ port, host: '127.0.0.1', ...(localAddress === undefined ? {} : { localAddress }) });
    socket.on('error', () => {});
    fixture.defer(() => socket.destroy());
    await once(socket, 'connect');
    return socket;
  }

  it('serve clients of both families', async () => {
    await one();
    expect(await who(`http://127.0.0.1:${port}/`)).to.equal('s1');
    expect(await who(`http://[::1]:${port}/`)).to.equal('s1');
  });

  it('tell members of the client in the headers that are asked for, and in no others', async () => {
    const { balancer, backend } = await one({
      listener: { ...HTTP, insertHeaders: ['X-Forwarded-For', 'X-Forwarded-Port', 'X-Forwarded-Proto'] },
    });
    const told = (by = backend) => {
      const headers = by.requests.at(-1)!.headers;
      return [headers['x-forwarded-for'], headers['x-forwarded-port'], headers['x-forwarded-proto']];
    };
    await request(`http://127.0.0.1:${port}/`, { from: '127.0.7.7' });
    expect(told()).to.deep.equal(['127.0.7.7', `${port}`, 'http']);
    await request(`http://127.0.0.1:${port}/`, { headers: { 'X-Forwarded-Port': '1', 'X-Forwarded-Proto': 'https' } });
    expect(told()).to.deep.equal(['127.0.0.1', `${port}`, 'http']);
    await balancer.remove();
    const { backend: untold } = await one({ listener: HTTP });
    await request(`http://127.0.0.1:${port}/`);
    expect(told(untold)).to.deep.equal([undefined, undefined, undefined]);
  });

  const HEADERS: Readonly<Record<Exclude<PoolProtocol, 'UDP' | 'SCTP' | 'HTTP'>, (clientPort: number) => string>> = {
    TCP: () => '',
    HTTPS: () => '',
    PROXY: (clientPort) => `PROXY TCP4 127.0.7.7 127.0.0.1 ${clientPort} ${port}\r\n`,
    PROXYV2: (clientPort) =>
      Buffer.concat([
        Buffer.from('\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c', 'latin1'),
        Buffer.from([127, 0, 7, 7, 127, 0, 0, 1, clientPort >> 8, clientPort & 255, port >> 8, port & 255]),
      ]).toString('latin1'),
  };
  for (const protocol of ['TCP', 'HTTPS', 'PROXY', 'PROXYV2'] as const) {
    it(`put before what a client sends what a pool of protocol ${protocol} wants`, async () => {
      const { member: its, heard } = await silent();
      await serve({ members: [its], pool: { protocol } });
      const socket = await client('127.0.7.7');
      socket.write('hello');
      await until(() => heard().endsWith('hello'), { what: heard });
      expect(heard()).to.equal(`${HEADERS[protocol](socket.localPort!)}hello`);
    });
  }

  it('put it before HTTP, too', async () => {
    const { member: its, heard } = await silent();
    await serve({ members: [its], listener: HTTP, pool: { protocol: 'PROXY' } });
    const socket = await client();
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await until(() => heard().endsWith('\r\n\r\n'), { what: heard });
    expect(heard().split('\r\n').slice(0, 2)).to.deep.equal([
      `PROXY TCP4 127.0.0.1 127.0.0.1 ${socket.localPort} ${port}`,
      'GET / HTTP/1.1',
    ]);
  });

  it('reset clients that are not from an allowed range, and serve the others', async () => {
    const filler = Array.from({ length: 40 }, (_, i) => `10.${i}.0.0/16`);
    await one({ listener: { allowedCidrs: ['127.0.7.0/24', '::1/128', ...filler, '127.0.9.9/32'] } });
    const answer = (from?: string) =>
      who(`http://127.0.0.1:${port}/`, from === undefined ? {} : { from }).catch(({ code }) => code);
    expect(await answer('127.0.7.7')).to.equal('s1');
    expect(await answer('127.0.9.9')).to.equal('s1');
    expect(await answer('127.0.8.8')).to.equal('ECONNRESET');
    expect(await answer()).to.equal('ECONNRESET');
    expect(await who(`http://[::1]:${port}/`)).to.equal('s1');
  });

  it('let those wait who come after the last connection that is allowed', async () => {
    const { member: its, sockets } = await silent();
    await serve({ members: [its], listener: { connectionLimit: 2 } });
    const first = await client();
    await client();
    await until(() => sockets.length === 2, { what: 'two connections' });
    (await client()).write('later');
    const reached = once(sockets[0]!, 'close').then(() => sockets.length);
    expect(sockets.length).to.equal(2);
    first.destroy();
    expect(await reached).to.be.at.most(3);
    await until(() => sockets.length === 3, { what: 'the third connection' });
  });

  it('have no limit of their own with -1, but the balancer has one', async () => {
    const { member: its, sockets } = await silent();
    const balancer = await fixture.balancer();
    balancer.maxConnections = 3;
    const web = listener('web', pool('web', [its]), { protocolPort: port });
    await balancer.serve(loadBalancer([web], { vips: ['127.0.0.1'] }));
    const clients = await Promise.all(Array.from({ length: 4 }, () => client()));
    await until(() => sockets.length === 3, { what: 'three connections' });
    clients[0]!.destroy();
    clients[1]!.destroy();
    clients[2]!.destroy();
    await until(() => sockets.length === 4, { what: 'the fourth connection' });
  });

  it('end connections on which the client is silent too long', async () => {
    const timeouts = { clientDataMs: 100, memberConnectMs: 5_000, memberDataMs: 50_000, tcpInspectMs: 0 };
    const { member: its } = await silent();
    await serve({ members: [its], listener: { timeouts } });
    await once(await client(), 'close');
  });

  it('say 504 for a member that is silent too long', async () => {
    const timeouts = { clientDataMs: 50_000, memberConnectMs: 5_000, memberDataMs: 100, tcpInspectMs: 0 };
    const { member: its } = await silent();
    await serve({ members: [its], listener: { ...HTTP, timeouts } });
    expect((await request(`http://127.0.0.1:${port}/`)).status).to.equal(504);
  });

  for (const [algorithm, dead] of [
    ['ROUND_ROBIN', 3],
    ['LEAST_CONNECTIONS', 1],
    ['SOURCE_IP', 1],
    ['SOURCE_IP_PORT', 1],
  ] as const) {
    it(`never fail for ${dead} that refuse connections while another member does not: ${algorithm}`, async () => {
      const { port: memberPort } = await fixture.backends(1);
      const members = Array.from({ length: dead + 1 }, (_, i) =>
        member(`127.0.0.${i + 1}`, { protocolPort: memberPort }),
      );
      await serve({ members, pool: { algorithm } });
      expect(await shares(`http://127.0.0.1:${port}/`, 12)).to.deep.equal({ s1: 12 });
    });
  }

  it('try another member when one does not answer within the time to connect', async () => {
    const { port: memberPort } = await fixture.backends(2);
    const full = await blackHole();
    const timeouts = { clientDataMs: 50_000, memberConnectMs: 100, memberDataMs: 50_000, tcpInspectMs: 0 };
    const well = member('127.0.0.2', { protocolPort: memberPort });
    await serve({ members: [full, well], listener: { timeouts } });
    expect(await shares(`http://127.0.0.1:${port}/`, 4)).to.deep.equal({ s2: 4 });
  });

  /** A member that never answers: its queue of connections is full, and nobody takes any. */
  async function blackHole(): Promise<Member> {
    const { spawn } = await import('node:child_process');
    const script = `
import socket, sys
s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(0)
held = [socket.socket() for _ in range(4)]
for c in held: c.setblocking(False); c.connect_ex(s.getsockname())
print(s.getsockname()[1], flush=True); sys.stdin.read()`;
    const child = spawn('/usr/bin/python3', ['-c', script], { stdio: ['pipe', 'pipe', 'inherit'] });
    fixture.defer(async () => {
      child.stdin.end();
      await once(child, 'exit');
    });
    const [line] = await once(child.stdout, 'data');
    return member('127.0.0.1', { id: 'full', protocolPort: Number(line) });
  }
});
