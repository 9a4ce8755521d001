/** Each way to choose a member, against its definition: who gets how many connections, and in which order. */
import { expect } from 'chai';
import { holdsLaw } from '../support/law.ts';
import { clearAway, nothingLeft } from '../support/leftovers.ts';
import { requireSystem } from '../support/requirements.ts';
import { addressesOf, BLUE, balancing, type Member, VIP4, VIPS, vmAt } from '../support/site.ts';
import { until } from '../support/until.ts';
import { tally } from '../support/vm.ts';
import { World } from '../support/world.ts';

const PLACEMENT = 'namespace' as const;
/** The last parts of further addresses of c1: clients by their own right. */
const CLIENTS = Array.from({ length: 36 }, (_, i) => 150 + i);

/** Members by name, in one family each. */
const MEMBERS: Readonly<Record<string, Member>> = Object.fromEntries(
  [21, 22, 23, 24].map((number, i) => [
    `s${i + 1}`,
    { name: `s${i + 1}`, address: addressesOf(number)[i % 2]!, protocol_port: 80 },
  ]),
);
const members = (weights: Readonly<Record<string, number>>): Member[] =>
  Object.entries(weights).map(([name, weight]) => ({ ...MEMBERS[name]!, weight }));

describe('algorithms', () => {
  const world = new World({
    part: 'al',
    controller: ['--linger', '0.5'],
    topology: {
      hosts: [{ name: 'h1' }, { name: 'h2' }],
      networks: [BLUE],
      vms: [
        vmAt('c1', 'h1', 11),
        vmAt('c2', 'h2', 12),
        vmAt('s1', 'h1', 21),
        vmAt('s2', 'h1', 22),
        vmAt('s3', 'h2', 23),
        vmAt('s4', 'h2', 24),
      ],
    },
  });

  before(async function () {
    requireSystem(this, ['haproxy']);
    await world.up();
    const add = CLIENTS.flatMap(addressesOf).map(
      (address) => `addr add ${address}/${address.includes(':') ? '64 nodad' : '24'} dev eth0`,
    );
    for (const line of add) await world.sh('c1', 'ip', ...line.replace(/ nodad(.*)/, '$1 nodad').split(' '));
    await world.serve(Object.keys(MEMBERS));
  });
  after(() => world.down());
  afterEach(async () => {
    await holdsLaw(world);
    await nothingLeft(world);
    expect(world.restarts()).to.equal(0);
  });

  type More = Parameters<typeof balancing>[2];
  const apply = (weights: Readonly<Record<string, number>>, more: More) =>
    world.apply(balancing('web', members(weights), { placement: PLACEMENT, ...more }));
  /** A load balancer whose balancers have seen no connection yet. */
  async function fresh(weights: Readonly<Record<string, number>>, more: More): Promise<void> {
    await clearAway(world);
    await apply(weights, more);
  }

  it('ROUND_ROBIN: each in turn, over both VIPs, on every host', async () => {
    await fresh({ s1: 1, s2: 1, s3: 1 }, { algorithm: 'ROUND_ROBIN' });
    for (const vm of ['c1', 'c2']) {
      const order: string[] = [];
      for (let i = 0; i < 15; i++) order.push(...(await world.vm(vm).sequence({ address: VIPS[i % 2]! }, 2)));
      expect([...new Set(order.slice(0, 3))].sort(), vm).to.deep.equal(['s1', 's2', 's3']);
      expect(order.slice(3), vm).to.deep.equal(order.slice(0, -3));
    }
  });

  it('ROUND_ROBIN with weights: in every round each its weight, and spread over the round', async () => {
    await fresh({ s1: 5, s2: 2, s3: 1 }, { algorithm: 'ROUND_ROBIN' });
    for (const address of VIPS) {
      const order = await world.vm('c1').sequence({ address }, 40);
      for (let from = 0; from < order.length; from += 8) {
        expect(tally(order.slice(from, from + 8)), order.join()).to.deep.equal({ s1: 5, s2: 2, s3: 1 });
      }
      expect(order.join()).to.not.include('s2,s2').and.not.include('s1,s1,s1,s1');
    }
  });

  it('ROUND_ROBIN follows weights from one connection to the next', async () => {
    await apply({ s1: 1, s2: 0, s3: 3 }, { algorithm: 'ROUND_ROBIN' });
    expect(tally(await world.vm('c1').sequence({ address: VIP4 }, 40))).to.deep.equal({ s1: 10, s3: 30 });
  });

  for (const address of VIPS) {
    it(`LEAST_CONNECTIONS: who has the fewest gets the next, through ${address}`, async () => {
      const client = world.vm('c1');
      await fresh({ s1: 1, s2: 1, s3: 1 }, { algorithm: 'LEAST_CONNECTIONS' });
      const hold = async (count: number): Promise<{ name: string; first: number }[]> => {
        const held = [];
        for (let i = 0; i < count; i++) {
          const first = await client.run('open', { address });
          const [answer] = await client.run('ask', { first });
          held.push({ name: answer!.split(' ')[0]!, first });
        }
        return held;
      };
      const held = await hold(9);
      expect(tally(held.map(({ name }) => name))).to.deep.equal({ s1: 3, s2: 3, s3: 3 });
      for (const { first } of held.filter(({ name }) => name === 's2')) await client.run('close', { first, count: 1 });
      // The end of a connection is noticed in a moment; until then all are equal.
      await until(async () => (await client.sequence({ address }, 3)).join() === 's2,s2,s2', { what: 's2 is free' });
      expect((await hold(3)).map(({ name }) => name)).to.deep.equal(['s2', 's2', 's2']);
      await client.run('close');
    });
  }

  it('LEAST_CONNECTIONS with weights: connections are held in their proportion', async () => {
    await fresh({ s1: 4, s2: 2, s3: 1 }, { algorithm: 'LEAST_CONNECTIONS' });
    const client = world.vm('c1');
    const names: string[] = [];
    for (let i = 0; i < 28; i++) {
      const [answer] = await client.run('ask', { first: await client.run('open', { address: VIPS[i % 2]! }) });
      names.push(answer!.split(' ')[0]!);
    }
    await client.run('close');
    expect(tally(names)).to.deep.equal({ s1: 16, s2: 8, s3: 4 });
  });

  describe('SOURCE_IP', () => {
    /** Who serves each client, by its address; two connections each. */
    async function served(): Promise<Map<string, string>> {
      const found = new Map<string, string>();
      for (const [i, address] of VIPS.entries()) {
        for (const number of CLIENTS) {
          const from = addressesOf(number)[i]!;
          const names = await world.vm('c1').sequence({ address, from }, 2);
          expect(new Set(names).size, from).to.equal(1);
          found.set(from, names[0]!);
        }
      }
      return found;
    }
    const moved = (before: Map<string, string>, after: Map<string, string>) =>
      [...before].filter(([client, name]) => after.get(client) !== name);
    let before: Map<string, string>;

    it('leads a client to one member, and all clients to all members', async () => {
      await fresh({ s1: 1, s2: 1, s3: 1 }, { algorithm: 'SOURCE_IP' });
      before = await served();
      for (const count of Object.values(tally([...before.values()]))) expect(count).to.be.within(12, 36);
    });

    it('leads it to the same member from another host', async () => {
      await world.lab.moveVm('c1', 'h2');
      await world.ready();
      expect(moved(before, await served())).to.deep.equal([]);
      await world.lab.moveVm('c1', 'h1');
      await world.ready();
    });

    it('moves clients to a new member only from the others to it', async () => {
      await apply({ s1: 1, s2: 1, s3: 1, s4: 1 }, { algorithm: 'SOURCE_IP' });
      const after = await served();
      const different = moved(before, after);
      expect(new Set(different.map(([client]) => after.get(client)))).to.deep.equal(new Set(['s4']));
      before = after;
    });

    it('moves nobody but the clients of a member that goes', async () => {
      await apply({ s1: 1, s3: 1, s4: 1 }, { algorithm: 'SOURCE_IP' });
      const after = await served();
      expect(moved(before, after).every(([, name]) => name === 's2')).to.equal(true);
      expect([...after.values()]).to.not.include('s2');
    });
  });

  it('SOURCE_IP_PORT: spreads connections of one client, in proportion to weights', async () => {
    for (const weights of [
      { s1: 1, s2: 1, s3: 1 },
      { s1: 4, s2: 2, s3: 2 },
    ]) {
      await fresh(weights, { algorithm: 'SOURCE_IP_PORT' });
      const sum = Object.values(weights).reduce((a, b) => a + b);
      const ofBoth = await Promise.all(VIPS.map((address) => world.vm('c1').names({ address }, 300)));
      const shares = tally(ofBoth.flat());
      for (const [name, weight] of Object.entries(weights)) {
        expect(shares[name]! / 600 / (weight / sum), JSON.stringify(shares)).to.be.within(0.7, 1.3);
      }
    }
  });

  describe('locality', () => {
    const shares = async (vm: string, count: number) => tally(await world.vm(vm).sequence({ address: VIP4 }, count));

    it('only: no member of another host', async () => {
      await fresh({ s1: 1, s2: 1, s3: 1 }, { algorithm: 'ROUND_ROBIN', pool: { locality: 'only' } });
      expect(await shares('c1', 12)).to.deep.equal({ s1: 6, s2: 6 });
      expect(await shares('c2', 6)).to.deep.equal({ s3: 6 });
    });

    it('follows a member that moves', async () => {
      await world.lab.moveVm('s2', 'h2');
      await until(async () => JSON.stringify(await shares('c1', 4)) === JSON.stringify({ s1: 4 }), { what: 'only s1' });
      await until(async () => (await shares('c2', 4)).s2 === 2, { what: 's2 is on h2' });
      await world.lab.moveVm('s2', 'h1');
      await until(async () => (await shares('c1', 4)).s2 === 2, { what: 's2 is back' });
    });

    it('prefer: weights of members on the same host count so many times', async () => {
      await fresh(
        { s1: 1, s2: 2, s3: 3 },
        { algorithm: 'ROUND_ROBIN', pool: { locality: 'prefer', locality_factor: 4 } },
      );
      expect(await shares('c1', 30)).to.deep.equal({ s1: 8, s2: 16, s3: 6 });
      expect(await shares('c2', 30)).to.deep.equal({ s1: 2, s2: 4, s3: 24 });
    });
  });
});
