import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { expect } from 'chai';
import { ClientError, createClient } from '../../src/api/client.ts';
import { AddressError, listen, parseApiAddress } from '../../src/api/index.ts';
import { type ApiFixture, addBlue, startApi } from '../support/api.ts';
import { freePort } from '../support/ovsdb-server.ts';

async function failure(promise: Promise<unknown>): Promise<ClientError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof ClientError) return error;
    throw error;
  }
  throw new Error('it succeeded');
}

describe('API: the client, over HTTP', () => {
  let api: ApiFixture;
  let url: string;
  before(async () => {
    api = await startApi();
    url = await api.listen();
    await addBlue(api.store);
  });
  after(() => api.stop());

  it('reads and writes, and learns the change number', async () => {
    const client = createClient({ url });
    const written = await client.request('POST', '/v2.0/lbaas/loadbalancers', {
      loadbalancer: { vip_network_id: 'blue', name: 'zażółć' },
    });
    expect(written.status).to.equal(201);
    expect(written.generation).to.equal(api.store.model.generation);
    const { id } = (written.body as { loadbalancer: { id: string } }).loadbalancer;
    const read = await createClient({ url: `${url}/load-balancer/` }).request('GET', `/v2.0/lbaas/loadbalancers/${id}`);
    expect(read.body).to.have.nested.property('loadbalancer.name', 'zażółć');
    expect(read.generation).to.equal(undefined);
    const deleted = await client.request('DELETE', `/v2.0/lbaas/loadbalancers/${id}`);
    expect([deleted.status, deleted.body]).to.deep.equal([204, undefined]);
  });

  it('says what the API said when it refuses', async () => {
    const error = await failure(createClient({ url }).request('GET', '/v1/networks/red'));
    expect([error.kind, error.status, error.message]).to.deep.equal(['refused', 404, 'Network red not found.']);
  });

  it('says what to do when nobody is there', async () => {
    const dead = `http://127.0.0.1:${await freePort()}`;
    const error = await failure(createClient({ url: dead }).request('GET', '/'));
    expect([error.kind, error.message]).to.deep.equal([
      'unreachable',
      `cannot reach ${dead}: is \`hostlb controller\` running?`,
    ]);
  });

  it('refuses a URL that is none', () => {
    for (const bad of ['', 'nonsense', 'ftp://h', '127.0.0.1:9876']) {
      expect(() => createClient({ url: bad }), bad).to.throw(ClientError, 'write http://ADDRESS:PORT');
    }
  });

  describe('with a server that is not ours', () => {
    let server: Server;
    let reply: (response: import('node:http').ServerResponse) => void;
    let other: string;
    before(async () => {
      server = createServer((_request, response) => reply(response)).listen(0, '127.0.0.1');
      await once(server, 'listening');
      other = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    });
    after(() => {
      server.closeAllConnections();
      server.close();
    });
    const ask = (timeoutMs = 5_000) => failure(createClient({ url: other, timeoutMs }).request('GET', '/'));

    it('says so', async () => {
      reply = (response) => response.writeHead(500, { 'content-type': 'text/html' }).end('<h1>');
      expect((await ask()).message).to.equal(`${other} answered with HTTP 500: is it the API of hostlb?`);
      reply = (response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{');
      expect((await ask()).kind).to.equal('broken');
      reply = (response) => response.writeHead(302, { location: '/' }).end();
      expect((await ask()).kind).to.equal('refused');
    });

    it('does not wait for ever', async () => {
      reply = () => {};
      expect((await ask(50)).message).to.match(/no answer within 0\.05 s$/);
    });

    it('notices an answer that ends in the middle', async () => {
      reply = (response) => {
        response.writeHead(200, { 'content-length': '100' });
        response.write('x', () => response.destroy());
      };
      expect((await ask()).kind).to.equal('unreachable');
    });

    it('can be interrupted', async () => {
      const abort = new AbortController();
      reply = () => abort.abort();
      const pending = createClient({ url: other, signal: abort.signal }).request('GET', '/');
      expect(
        await pending.then(
          () => 'done',
          (error: Error) => error.name,
        ),
      ).to.equal('AbortError');
    });
  });

  describe('the address to listen on', () => {
    it('is a loopback one without authentication', () => {
      expect(parseApiAddress('127.0.0.1:9876')).to.deep.equal({ host: '127.0.0.1', port: 9876 });
      expect(parseApiAddress('[::1]:0')).to.deep.equal({ host: '::1', port: 0 });
      expect(parseApiAddress('localhost:1').host).to.equal('localhost');
      for (const address of ['0.0.0.0:9876', '192.0.2.1:80', '[::]:1', '[fd00::1]:1']) {
        expect(() => parseApiAddress(address)).to.throw(AddressError, '--auth FILE');
        expect(parseApiAddress(address, { authenticates: true }).port).to.be.above(0);
      }
      for (const address of [
        '',
        '9876',
        '127.0.0.1',
        '127.0.0.1:',
        '127.0.0.1:70000',
        '::1:80',
        'host.example:80',
        '127.0.0.256:1',
      ]) {
        expect(() => parseApiAddress(address, { authenticates: true }), address).to.throw(
          AddressError,
          'is not ADDRESS:PORT',
        );
      }
    });

    it('that is taken is named', async () => {
      const taken = createTcpServer().listen(0, '127.0.0.1');
      await once(taken, 'listening');
      const address = `127.0.0.1:${(taken.address() as AddressInfo).port}`;
      const second = await startApi();
      try {
        const error = await listen(second.app, { address }).then(
          () => undefined,
          (reason: Error) => reason,
        );
        expect(error).to.be.instanceOf(AddressError);
        expect(error?.message).to.equal(`${address} is already in use: is another controller running?`);
      } finally {
        taken.close();
        await second.stop();
      }
    });
  });
});
