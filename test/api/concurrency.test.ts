import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect } from 'chai';
import { ClientError, createClient, type Method, type Reply } from '../../src/api/client.ts';
import { packaged } from '../../src/util/paths.ts';
import { freePort, type OvsdbServer, startOvsdbServer } from '../support/ovsdb-server.ts';
import { HOSTLB } from '../support/program.ts';
import { until } from '../support/until.ts';

const WRITERS = 50;
const LOAD_BALANCERS = 10;

/** A real controller process that serves the API on a database. */
interface ApiProcess {
  readonly request: (method: Method, path: string, body?: unknown) => Promise<Reply>;
  /** kill -9; resolves when it is gone. */
  kill(): Promise<void>;
  start(): Promise<void>;
}

async function startProcess(db: string): Promise<ApiProcess> {
  const address = `127.0.0.1:${await freePort()}`;
  const client = createClient({ url: `http://${address}` });
  let child: ChildProcess;
  const start = async () => {
    const args = [HOSTLB[1], 'controller', '--db', db, '--api', address, '--log-level', 'error'];
    child = spawn(HOSTLB[0], args, { stdio: 'ignore' });
    await until(() => client.request('GET', '/').then(Boolean, () => false), {
      what: 'the API answers',
    });
  };
  await start();
  return {
    start,
    request: (method, path, body) => client.request(method, path, body),
    kill: async () => {
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    },
  };
}

/** As a client does that wants it done: again and again where nobody can tell what became of it. */
async function insist<T>(attempt: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      if (error.kind === 'refused' && error.status !== 503 && !/immutable|Invalid state/.test(error.message))
        throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** Of a create that is tried again: that it is there already is no error. */
const orThere = (error: Error) => {
  if (!(error instanceof ClientError) || error.status !== 409) throw error;
};

describe('API processes on one database', () => {
  // starts four processes
  let server: OvsdbServer;
  let apis: readonly [ApiProcess, ApiProcess];

  const read = async (api: ApiProcess, path: string, key: string) =>
    // biome-ignore lint/suspicious/noExplicitAny: JSON of many shapes
    ((await api.request('GET', path)).body as any)[key];

  /** Everything that a process shows of load balancers. */
  const shownBy = async (api: ApiProcess) => {
    const lists = ['loadbalancers', 'listeners', 'pools'].map((plural) => read(api, `/v2.0/lbaas/${plural}`, plural));
    const [loadbalancers, listeners, pools] = await Promise.all(lists);
    const members = await Promise.all(
      pools.map(({ id }: { id: string }) => read(api, `/v2.0/lbaas/pools/${id}/members`, 'members')),
    );
    return { loadbalancers, listeners, pools, members };
  };

  const sameNumber = async (): Promise<number> => {
    const numbers = async () => Promise.all(apis.map((api) => read(api, '/v1/progress', 'generation')));
    await until(async () => new Set(await numbers()).size === 1, { what: 'both have the same change' });
    return (await numbers())[0];
  };

  before(async () => {
    server = await startOvsdbServer({ schema: packaged('schema/hostlb.ovsschema') });
    apis = [await startProcess(server.unix), await startProcess(server.unix)];
    const load_balancers = Array.from({ length: LOAD_BALANCERS }, (_, n) => ({
      ...{ name: `lb-${n}`, network: 'blue', vips: [`10.0.9.${n + 1}`] },
      listeners: [
        {
          protocol: 'TCP',
          protocol_port: 80,
          default_pool: { protocol: 'TCP', lb_algorithm: 'SOURCE_IP', members: [] },
        },
      ],
    }));
    await apis[0].request('PUT', '/v1/apply', {
      networks: [{ name: 'blue', subnets: ['10.0.0.0/16'] }],
      load_balancers,
    });
    await sameNumber();
  });
  after(async () => {
    for (const api of apis ?? []) await api.kill();
    await server?.stop();
  });

  it('lose nothing and tear nothing with 50 writers, on one load balancer and on many, killed and started meanwhile', async () => {
    const pools: readonly { id: string; listeners: { id: string }[] }[] = await read(
      apis[0],
      '/v2.0/lbaas/pools',
      'pools',
    );
    const path = ({ id }: { id: string }) => `/v2.0/lbaas/pools/${id}/members`;
    const acknowledged: string[] = [];
    let reached = (_: unknown): void => {};
    const half = new Promise((resolve) => {
      reached = resolve;
    });

    /** Half of the writers at each process, each with a member of the first pool and one of another, and a listener. */
    const write = async (n: number) => {
      const api = apis[n % 2]!;
      const [first, other] = [pools[0]!, pools[1 + (n % (LOAD_BALANCERS - 1))]!];
      for (const [pool, net] of [
        [first, 1],
        [other, 2],
      ] as const) {
        const member = { address: `10.0.${net}.${n + 1}`, protocol_port: 80 };
        await insist(() => api.request('POST', path(pool), { member }).catch(orThere));
        acknowledged.push(`${pool.id} ${member.address}`);
        if (acknowledged.length === WRITERS) reached(undefined);
      }
      // the same change by many, each of another attribute or value of the same listener
      const listener = { connection_limit: -1, description: `writer ${n}` };
      await insist(() => api.request('PUT', `/v2.0/lbaas/listeners/${other.listeners[0]!.id}`, { listener }));
    };
    const writers = Promise.all(Array.from({ length: WRITERS }, (_, n) => write(n)));
    await half;
    await Promise.all([apis[1].kill(), server.kill()]);
    await server.restart();
    await apis[1].start();
    await writers;

    await sameNumber();
    const [one, two] = [await shownBy(apis[0]), await shownBy(apis[1])];
    expect(one, 'both processes agree').to.deep.equal(two);
    const stored = one.pools.flatMap(({ id }: { id: string }, i: number) =>
      one.members[i].map(({ address }: { address: string }) => `${id} ${address}`),
    );
    expect(stored, 'each acknowledged member is there, once').to.have.members(acknowledged);
    expect(acknowledged).to.have.length(2 * WRITERS);
    for (const { default_pool_id: pool, loadbalancers } of one.listeners) {
      const of = one.pools.find(({ id }: { id: string }) => id === pool);
      expect(of?.loadbalancers, 'no torn graph').to.deep.equal(loadbalancers);
    }
  });

  it('give one VIP and one name of a user to one of those who ask at once', async () => {
    const lb = { vip_network_id: 'blue', vip_address: '10.0.9.200' };
    const asked = await Promise.allSettled(
      Array.from({ length: 20 }, (_, n) =>
        apis[n % 2]!.request('POST', '/v2.0/lbaas/loadbalancers', { loadbalancer: lb }),
      ),
    );
    expect(asked.filter(({ status }) => status === 'fulfilled')).to.have.length(1);
    for (const one of asked) if (one.status === 'rejected') expect(one.reason).to.include({ status: 409 });
    const user = { projects: { acme: ['load-balancer_member'] } };
    await Promise.all(Array.from({ length: 10 }, (_, n) => apis[n % 2]!.request('PUT', '/v1/users/ann', { user })));
    for (const api of apis) expect(await read(api, '/v1/users', 'users')).to.have.length(1);
  });
});
