import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expect } from 'chai';
import type { Member, Pool } from '../../src/model/types.ts';
import { requireSystem } from '../support/requirements.ts';
import { Fixture, freePort, type RequestOptions, shares, who } from './loopback.ts';
import { listener, loadBalancer, member, pool } from './model.ts';

describe('algorithms of HAProxy', () => {
  const fixture = new Fixture();
  let port: number;
  let memberPort: number;
  let members: Member[];
  let url: string;
  before(function () {
    requireSystem(this, ['haproxy']);
  });
  beforeEach(async () => {
    ({ port: memberPort } = await fixture.backends(3));
    members = [1, 2, 3].map((i) => member(`127.0.0.${i}`, { id: `s${i}`, key: i, protocolPort: memberPort }));
    port = await freePort();
    url = `http://127.0.0.1:${port}/`;
  });
  afterEach(() => fixture.end());

  const balanced = (its: readonly Member[], given: Partial<Pool>) =>
    loadBalancer([listener('web', pool('web', its, given), { protocolPort: port })], { vips: ['127.0.0.1'] });

  async function serve(given: Partial<Pool>, weights: readonly number[] = [1, 1, 1], local: readonly string[] = []) {
    const balancer = await fixture.balancer();
    balancer.local = new Set(local);
    const change = (to: readonly number[], now: readonly string[] = local) => {
      balancer.local = new Set(now);
      return balancer.serve(
        balanced(
          to.map((weight, i) => ({ ...members[i]!, weight })),
          given,
        ),
      );
    };
    await change(weights);
    return { balancer, change };
  }

  const source = (i: number): RequestOptions => ({ from: `127.1.${i >> 8}.${i & 255 || 255}` });
  const answersBySource = async (count: number): Promise<string[]> => {
    const answers: string[] = [];
    for (let i = 1; i <= count; i++) answers.push(await who(url, source(i)));
    return answers;
  };

  it('ROUND_ROBIN takes one after the other', async () => {
    await serve({ algorithm: 'ROUND_ROBIN' });
    const order: string[] = [];
    for (let i = 0; i < 9; i++) order.push(await who(url));
    expect(new Set(order.slice(0, 3)).size).to.equal(3);
    expect(order.slice(3)).to.deep.equal(order.slice(0, 6));
  });

  it('ROUND_ROBIN heeds weights exactly, and new ones at once', async () => {
    const { change, balancer } = await serve({ algorithm: 'ROUND_ROBIN' }, [3, 2, 1]);
    const worker = await balancer.worker();
    expect(await shares(url, 60)).to.deep.equal({ s1: 30, s2: 20, s3: 10 });
    await change([1, 1, 0]);
    expect(await shares(url, 20)).to.deep.equal({ s1: 10, s2: 10 });
    expect(await balancer.worker()).to.equal(worker);
  });

  it('LEAST_CONNECTIONS takes the member that has the fewest for its weight', async () => {
    await serve({ algorithm: 'LEAST_CONNECTIONS' }, [2, 1, 1]);
    const sockets: Socket[] = [];
    fixture.defer(() => {
      for (const socket of sockets) socket.destroy();
    });
    const told: string[] = [];
    for (let i = 0; i < 8; i++) {
      const socket = connect(port, '127.0.0.1');
      sockets.push(socket);
      socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
      const [data] = await once(socket, 'data');
      told.push(String(data).slice(-2));
    }
    expect([...told].sort()).to.deep.equal(['s1', 's1', 's1', 's1', 's2', 's2', 's3', 's3']);
    // Whoever loses its connections gets the next.
    for (const [i, socket] of sockets.entries()) {
      if (told[i] !== 's3') continue;
      socket.destroy();
    }
    await fixture.settled(() => who(url), 's3');
  });

  it('SOURCE_IP leads a client to one member, clients to members by weight, on every host the same', async () => {
    const { balancer } = await serve({ algorithm: 'SOURCE_IP' }, [10, 5, 1]);
    const first = await answersBySource(256);
    expect(await answersBySource(64)).to.deep.equal(first.slice(0, 64));
    const count = (name: string) => first.filter((one) => one === name).length;
    // Of 256: 160, 80 and 16 by weight; consistent hashes spread around it.
    expect(count('s1')).to.be.within(125, 195);
    expect(count('s2')).to.be.within(50, 110);
    expect(count('s3')).to.be.within(3, 40);
    await balancer.remove();
    members.reverse();
    await serve({ algorithm: 'SOURCE_IP' }, [1, 5, 10]);
    expect(await answersBySource(64)).to.deep.equal(first.slice(0, 64));
  });

  it('SOURCE_IP moves only the clients of a member that goes', async () => {
    const { change } = await serve({ algorithm: 'SOURCE_IP' });
    const before = await answersBySource(90);
    await change([1, 1]);
    const after = await answersBySource(90);
    expect(after).not.to.contain('s3');
    for (const [i, name] of before.entries()) if (name !== 's3') expect(after[i]).to.equal(name);
  });

  it('SOURCE_IP_PORT spreads the connections of one client, and repeats for the same port', async () => {
    await serve({ algorithm: 'SOURCE_IP_PORT' });
    const ports = Array.from({ length: 120 }, (_, i) => 30_000 + i);
    const first: string[] = [];
    for (const fromPort of ports) first.push(await who(url, { from: '127.9.0.1', fromPort }));
    for (const name of ['s1', 's2', 's3']) expect(first.filter((one) => one === name).length).to.be.within(20, 65);
    const other = await who(url, { from: '127.9.0.2', fromPort: 30_000 });
    expect(['s1', 's2', 's3']).to.contain(other);
  });

  it('prefer members on the same host as much as the factor says, and follow them without a reload', async () => {
    const given = { locality: 'prefer', localityFactor: 4 } as const;
    const { change, balancer } = await serve(given, [1, 1, 1], ['127.0.0.1']);
    const worker = await balancer.worker();
    expect(await shares(url, 60)).to.deep.equal({ s1: 40, s2: 10, s3: 10 });
    // Round robin ends the round that it has begun.
    await change([1, 1, 1], ['127.0.0.3']);
    await shares(url, 60);
    expect(await shares(url, 60)).to.deep.equal({ s1: 10, s2: 10, s3: 40 });
    await change([1, 1, 1], []);
    await shares(url, 60);
    expect(await shares(url, 60)).to.deep.equal({ s1: 20, s2: 20, s3: 20 });
    expect(await balancer.worker()).to.equal(worker);
  });

  it('use only members on the same host if told so, without a reload', async () => {
    const { change, balancer } = await serve({ locality: 'only' }, [1, 1, 1], ['127.0.0.1', '127.0.0.2']);
    const worker = await balancer.worker();
    expect(await shares(url, 10)).to.deep.equal({ s1: 5, s2: 5 });
    await change([1, 1, 1], ['127.0.0.3']);
    expect(await shares(url, 10)).to.deep.equal({ s3: 10 });
    await change([1, 1, 1], []);
    expect(await who(url).catch(({ code }) => code)).to.equal('ECONNRESET');
    expect(await balancer.worker()).to.equal(worker);
  });

  it('use backup members only while there is no other, and then all of them', async () => {
    members = members.map((one, i) => ({ ...one, backup: i > 0 }));
    const { change } = await serve({});
    expect(await shares(url, 10)).to.deep.equal({ s1: 10 });
    await change([0, 1, 1]);
    expect(await shares(url, 10)).to.deep.equal({ s2: 5, s3: 5 });
    await change([1, 1, 1]);
    expect(await shares(url, 10)).to.deep.equal({ s1: 10 });
  });
});
