import { expect } from 'chai';
import { insert, UnfitServerError } from '../../src/ovsdb/index.ts';
import { type OvsdbServer, startOvsdbCluster } from '../support/ovsdb-server.ts';
import { clientPool, Item, next, plain, scratch, shopTables, writeSchema } from './support.ts';

describe('OVSDB cluster', () => {
  const directory = scratch();
  const pool = clientPool();
  let servers: readonly OvsdbServer[];

  before(async () => {
    servers = await startOvsdbCluster({ schema: await writeSchema(directory.path), database: 'Shop', size: 3 });
  });
  after(() => Promise.all(servers.map((server) => server.stop())));

  const remotes = () => servers.map(({ tcp }) => tcp).join(',');
  const serverAt = (remote: string) => servers.find(({ tcp }) => tcp === remote)!;

  /** Where the client's next connection goes. */
  async function connectedTo(client: ReturnType<typeof pool.open>) {
    const [remote] = await next(client, 'connected');
    return remote;
  }

  it('uses the leader, and says why the others are passed over', async () => {
    for (const server of servers) {
      const client = pool.open({ remote: server.tcp, tables: {} });
      const outcome = await Promise.race([
        connectedTo(client as never).then(() => 'leader'),
        next(client, 'connectFailed').then(([error]) => {
          expect(error).to.be.instanceOf(UnfitServerError);
          return error.message;
        }),
      ]);
      const status = await server.appctl('cluster/status', 'Shop');
      expect(outcome).to.equal(
        /Role: leader/.test(status) ? 'leader' : `${server.tcp} is not the leader of database Shop`,
      );
    }
  });

  it('uses any connected server if that is enough', async () => {
    for (const { tcp } of servers) {
      await pool.synced({ remote: tcp, tables: shopTables, leaderOnly: false });
    }
  });

  it('goes on when the leader is killed, with the replica intact and only differences fetched', async () => {
    const client = pool.open({ remote: remotes(), tables: shopTables });
    const first = await connectedTo(client as never);
    await client.whenSynced();
    await client.transact(['a', 'b'].map((name) => insert(Item, { name })));
    const rows = plain(client.tables.Item.values());
    const changes: number[] = [];
    client.on('change', ({ Item: { inserted, modified, deleted } }) =>
      changes.push(inserted.length, modified.length, deleted.length),
    );
    const again = next(client, 'synced');
    const second = connectedTo(client as never);
    await serverAt(first).kill();
    await again;
    expect(await second).not.to.equal(first);
    expect(changes, 'nothing had changed').to.deep.equal([]);
    expect(plain(client.tables.Item.values())).to.deep.equal(rows);
    await client.transact([insert(Item, { name: 'c' })]);
    expect(changes).to.deep.equal([1, 0, 0]);
    await serverAt(first).restart();
  });
});
