import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { run } from '../../src/cli/program.ts';
import { type ApiFixture, addBlue, addWeb, startApi } from '../support/api.ts';
import { hostlb } from '../support/cli.ts';
import { until } from '../support/until.ts';

describe('CLI: any Octavia endpoint', () => {
  let api: ApiFixture;
  let url: string;
  let other: Server | undefined;
  before(async () => {
    api = await startApi();
    url = await api.listen();
  });
  after(() => api.stop());
  beforeEach(async () => {
    await addBlue(api.store);
    await addWeb(api.store);
  });
  afterEach(async () => {
    other?.close();
    await api.clear();
  });

  /** An Octavia that answers this way; the URL of its endpoint, as a catalogue of services has it. */
  const octavia = async (answer: RequestListener): Promise<string> => {
    other = createServer(answer).listen(0, '127.0.0.1');
    await once(other, 'listening');
    return `http://127.0.0.1:${(other.address() as AddressInfo).port}/load-balancer`;
  };
  const names = async (...args: readonly string[]): Promise<unknown> => {
    const { code, stdout, stderr } = await hostlb([...args, '-o', 'json']);
    expect([code, stderr]).to.deep.equal([0, '']);
    return JSON.parse(stdout).map(({ name }: { name: string }) => name);
  };

  for (const suffix of ['', '/', '/load-balancer', '/load-balancer/', '/v2.0', '/load-balancer/v2']) {
    it(`finds Octavia's and hostlb's own resources at an endpoint that ends in '${suffix}'`, async () => {
      expect(await names('lb', 'list', '--endpoint', `${url}${suffix}`)).to.deep.equal(['web']);
      expect(await names('network', 'list', '--endpoint', `${url}${suffix}`)).to.deep.equal(['blue']);
    });
  }

  it('says so when an endpoint has none of hostlb, and names what is missing', async () => {
    const endpoint = await octavia((_request, response) => response.writeHead(404).end('<html>'));
    const { code, stderr } = await hostlb(['host', 'list', '--endpoint', endpoint]);
    expect([code, stderr]).to.deep.equal([
      1,
      `hostlb: ${endpoint} has no /v1/hosts: it is an Octavia API but not hostlb's, which this command needs\n`,
    ]);
    const missing = await hostlb(['host', 'show', 'h9', '--endpoint', url]);
    expect(missing.stderr, 'hostlb has the resource but not the object').to.match(/h9 not found/);
    const both = await hostlb(['host', 'list', '--endpoint', url, '--api', url]);
    expect([both.code, both.stderr]).to.deep.equal([2, 'hostlb: --api and --endpoint exclude each other\n']);
  });

  it('reads lists that come in pages, and waits for a status where there are no numbers of changes', async () => {
    const items = ['a', 'b', 'c'].map((id) => ({ id, name: id, vip_address: '10.0.0.1' }));
    let looks = 0;
    const endpoint = await octavia((request, response) => {
      const at = new URL(request.url!, 'http://octavia');
      const answer = (body: unknown) =>
        response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      if (request.method === 'DELETE') return response.writeHead(204).end();
      if (at.pathname.endsWith('/a')) {
        looks++;
        return answer({ loadbalancer: { ...items[0], provisioning_status: looks < 3 ? 'PENDING_DELETE' : 'DELETED' } });
      }
      if (at.searchParams.has('name')) return answer({ loadbalancers: [items[0]] });
      const from = items.findIndex(({ id }) => id === at.searchParams.get('marker')) + 1;
      const links =
        from === 2 ? [] : [{ rel: 'next', href: `${at.origin}${at.pathname}?limit=1&marker=${items[from]!.id}` }];
      return answer({ loadbalancers: [items[from]], loadbalancers_links: links });
    });
    expect(await names('lb', 'list', '--endpoint', endpoint)).to.deep.equal(['a', 'b', 'c']);
    const { code, stderr } = await hostlb(['lb', 'delete', 'a', '--wait', '--endpoint', endpoint]);
    expect([code, stderr, looks]).to.deep.equal([0, '', 3]);
  });

  it('watches a list until interrupted, and prints it when it differs', async () => {
    const interrupt = new AbortController();
    const shown: string[] = [];
    const done = run(['network', 'list', '--watch', '0.1'], {
      stdout: { write: (text) => shown.push(text) },
      stderr: { write: (text) => shown.push(`stderr ${text}`) },
      stdin: (async function* () {})(),
      env: { HOSTLB_API: url },
      signal: interrupt.signal,
    });
    await until(() => shown.length === 1, { what: 'the first list' });
    await api.store.putNetwork({ name: 'green', vlan: 7, subnets: ['10.7.0.0/24'] });
    await until(() => shown.length === 2, { what: 'the list that differs' });
    interrupt.abort();
    expect(await done).to.equal(130);
    expect(shown.map((text) => text.includes('green'))).to.deep.equal([false, true]);
    const { code, stderr } = await hostlb(['network', 'list', '--watch', '0'], { api: url });
    expect([code, stderr.includes('Must be at least 0.1')]).to.deep.equal([2, true]);
  });
});
