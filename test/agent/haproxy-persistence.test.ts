import { expect } from 'chai';
import type { Member, Pool } from '../../src/model/types.ts';
import { requireSystem } from '../support/requirements.ts';
import { type Backend, type Balancer, Fixture, freePort, request, shares, who } from './loopback.ts';
import { healthMonitor, listener, loadBalancer, member, pool } from './model.ts';

/** What means something in HAProxy's configuration may be in it. */
const COOKIE = "it's#$1";

describe('session persistence of HAProxy', () => {
  const fixture = new Fixture();
  let port: number;
  let backends: Backend[];
  let members: Member[];
  let url: string;
  let balancer: Balancer;
  before(function () {
    requireSystem(this, ['haproxy']);
  });
  beforeEach(async () => {
    const made = await fixture.backends(3);
    backends = made.backends;
    members = [1, 2, 3].map((i) => member(`127.0.0.${i}`, { id: `s${i}`, key: i, protocolPort: made.port }));
    port = await freePort();
    url = `http://127.0.0.1:${port}/`;
    balancer = await fixture.balancer();
  });
  afterEach(() => fixture.end());

  const serve = (its: readonly Member[], given: Partial<Pool>) =>
    balancer.serve(
      loadBalancer([listener('web', pool('web', its, given), { protocol: 'HTTP', protocolPort: port })], {
        vips: ['127.0.0.1', '::1'],
      }),
    );
  const weighed = (name: string, weight: number) => members.map((one) => (one.id === name ? { ...one, weight } : one));
  const without = (name: string) => members.filter(({ id }) => id !== name);
  const disabled = (name: string) => members.map((one) => (one.id === name ? { ...one, adminStateUp: false } : one));
  const reloaded = async (change: Promise<void>): Promise<void> => {
    const before = await balancer.worker();
    await change;
    expect(await balancer.worker()).not.to.equal(before);
  };

  /** Clients that persist, each in the way of its type. */
  const WAYS = {
    SOURCE_IP: async () => {
      const ask = (client: number) => who(url, { from: `127.3.0.${client + 1}` });
      return ask;
    },
    HTTP_COOKIE: async () => {
      const cookies: (string | undefined)[] = [];
      return async (client: number) => {
        const cookie = cookies[client];
        const { body, headers } = await request(url, cookie === undefined ? {} : { headers: { cookie } });
        cookies[client] = headers['set-cookie']?.[0]?.split(';')[0] ?? cookie;
        return body;
      };
    },
    APP_COOKIE: async () => {
      // The application names sessions by itself: whoever serves a session first gave it its name.
      const sessions: string[] = [];
      return async (client: number) => {
        const session = sessions[client];
        if (session === undefined)
          for (const backend of backends) backend.cookie = `${COOKIE}=session-${client}; path=/`;
        const { body } = await request(url, session === undefined ? {} : { headers: { cookie: session } });
        for (const backend of backends) backend.cookie = undefined;
        sessions[client] = `${COOKIE}=session-${client}`;
        return body;
      };
    },
  } as const;

  for (const type of ['SOURCE_IP', 'HTTP_COOKIE', 'APP_COOKIE'] as const) {
    describe(type, () => {
      const given: Partial<Pool> = {
        sessionPersistence: { type, cookieName: type === 'APP_COOKIE' ? COOKIE : undefined },
      };
      let ask: (client: number) => Promise<string>;
      const all = async (count = 12, first = 0): Promise<string[]> => {
        const answers: string[] = [];
        for (let client = first; client < first + count; client++) answers.push(await ask(client));
        return answers;
      };
      beforeEach(async () => {
        await serve(members, given);
        ask = await WAYS[type]();
      });

      it('leads a client to its member again, different clients to different ones', async () => {
        const first = await all();
        expect(new Set(first)).to.deep.equal(new Set(['s1', 's2', 's3']));
        expect(await all()).to.deep.equal(first);
      });

      it('survives reloads, also while its pool changes', async () => {
        const first = await all();
        await reloaded(serve(members, { ...given, algorithm: 'LEAST_CONNECTIONS' }));
        expect(await all()).to.deep.equal(first);
        await reloaded(serve(members, { ...given, slowStartSeconds: 1 }));
        expect(await all()).to.deep.equal(first);
      });

      it('stays with a member of weight 0, which gets nobody else', async () => {
        const first = await all();
        await serve(weighed('s1', 0), given);
        expect(await all()).to.deep.equal(first);
        expect(await all(12, 12)).not.to.contain('s1');
      });

      it('ends at once with a member that is removed, and does not come back to it', async () => {
        const first = await all();
        await serve(without('s1'), given);
        const second = await all();
        expect(second).not.to.contain('s1');
        for (const [i, name] of first.entries()) if (name !== 's1') expect(second[i]).to.equal(name);
        await serve(members, given);
        expect(await all()).to.deep.equal(second);
      });

      it('ends at once with a member that is disabled', async () => {
        await all();
        await serve(disabled('s2'), given);
        expect(await all()).not.to.contain('s2');
      });

      it('ends with a member that is found to be down', async () => {
        await serve(members, { ...given, healthMonitor: healthMonitor('TCP', { maxRetriesDown: 1 }) });
        for (const { id } of members) await balancer.until(id, ({ isUp }) => isUp);
        await all();
        await backends[2]!.close();
        await balancer.until('s3', ({ isUp }) => !isUp);
        const second = await all();
        expect(second).not.to.contain('s3');
        expect(await all()).to.deep.equal(second);
      });

      it('takes members that were added', async () => {
        await serve(without('s3'), given);
        const first = await all();
        await serve(members, given);
        expect(await all()).to.deep.equal(first);
        const others = await all(12, 12);
        expect(others).to.contain('s3');
        expect(await all(12, 12)).to.deep.equal(others);
      });
    });
  }

  it('names members in cookies alike on every host, and members do not see them', async () => {
    const given = { sessionPersistence: { type: 'HTTP_COOKIE', cookieName: undefined } } as const;
    await serve(members, given);
    const { headers, body } = await request(url);
    const cookie = headers['set-cookie']![0]!.split(';')[0]!;
    expect(cookie).to.match(/^SRV=[0-9a-f]{16}$/);
    await balancer.remove();
    balancer = await fixture.balancer();
    await serve(members.toReversed(), given);
    for (let i = 0; i < 3; i++) expect(await who(url, { headers: { cookie } })).to.equal(body);
    const asked = backends.find(({ name }) => name === body)!.requests.at(-1)!;
    expect(asked.headers.cookie).to.equal(undefined);
  });

  it('is by address of both families', async () => {
    await serve(members, { sessionPersistence: { type: 'SOURCE_IP', cookieName: undefined } });
    expect(Object.values(await shares(`http://[::1]:${port}/`, 6))).to.deep.equal([6]);
    expect(Object.values(await shares(url, 6))).to.deep.equal([6]);
  });
});
