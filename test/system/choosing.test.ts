/** The controller chooses for the switch: who gets the next connection, exactly; and what happens while it is away. */
import { expect } from 'chai';
import { holdsLaw } from '../support/law.ts';
import { clearAway, nothingLeft } from '../support/leftovers.ts';
import { requireSystem } from '../support/requirements.ts';
import { BLUE, balancing, VIP4, VIPS, vmAt } from '../support/site.ts';
import { until } from '../support/until.ts';
import { tally } from '../support/vm.ts';
import { World } from '../support/world.ts';

/** The flows that the controller renews. */
const LEASES = 'cookie=0x686c080000000000/-1';

/** Each member in both families: a VIP is served by members of its own. */
const members = (weights: Readonly<Record<string, number>>) =>
  Object.entries(weights).flatMap(([name, weight]) =>
    [`10.0.0.2${name.slice(1)}`, `fd00::2${name.slice(1)}`].map((address, i) => ({
      name: i === 0 ? name : `${name}-6`,
      ...{ address, weight, protocol_port: 80 },
    })),
  );

describe('choosing in the controller', () => {
  const world = new World({
    part: 'ch',
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
      ],
    },
  });

  before(async function () {
    requireSystem(this);
    await world.up();
    await world.serve(['s1', 's2', 's3']);
  });
  after(() => world.down());
  afterEach(async () => {
    await holdsLaw(world);
    await nothingLeft(world);
    expect(world.restarts()).to.equal(0);
  });

  const isLeased = async (host: string) => (await world.flows(host, LEASES)).length > 0;
  const leased = async () => {
    for (const host of world.hosts) await until(() => isLeased(host), { what: `${host} may ask` });
  };
  type More = Parameters<typeof balancing>[2];
  const apply = async (weights: Readonly<Record<string, number>>, more: More) => {
    await world.apply(balancing('web', members(weights), more));
    await leased();
  };
  /** Members that nobody has been given to yet. */
  async function fresh(weights: Readonly<Record<string, number>>, more: More): Promise<void> {
    await clearAway(world);
    await apply(weights, more);
  }
  /** Opens connections one after the other; who serves each, and its number. */
  async function hold(address: string, count: number): Promise<{ name: string; first: number }[]> {
    const held = [];
    for (let i = 0; i < count; i++) {
      const first = await world.vm('c1').run('open', { address });
      const [said] = await world.vm('c1').run('ask', { first });
      held.push({ name: said!.split(' ')[0]!, first });
    }
    return held;
  }
  const namesOf = (held: readonly { readonly name: string }[]) => tally(held.map(({ name }) => name));

  it('ROUND_ROBIN: each in turn, in both families, on every host', async () => {
    await fresh({ s1: 1, s2: 1, s3: 1 }, { algorithm: 'ROUND_ROBIN' });
    for (const vm of ['c1', 'c2']) {
      for (const address of VIPS) {
        const order = await world.vm(vm).sequence({ address }, 30);
        expect(tally(order), `${vm} ${order}`).to.deep.equal({ s1: 10, s2: 10, s3: 10 });
        expect(order.slice(3), `${vm} ${order}`).to.deep.equal(order.slice(0, -3));
      }
    }
  });

  it('ROUND_ROBIN with weights: exact in every round, and new ones count from the next connection on', async () => {
    await fresh({ s1: 3, s2: 1 }, { algorithm: 'ROUND_ROBIN' });
    for (const address of VIPS) {
      const order = await world.vm('c1').sequence({ address }, 40);
      for (let from = 0; from < order.length; from += 4) {
        expect(tally(order.slice(from, from + 4)), order.join()).to.deep.equal({ s1: 3, s2: 1 });
      }
    }
    await apply({ s1: 0, s2: 1, s3: 3 }, { algorithm: 'ROUND_ROBIN' });
    expect(tally(await world.vm('c1').sequence({ address: VIP4 }, 40))).to.deep.equal({ s2: 10, s3: 30 });
  });

  it('holds where many connections begin at once', async () => {
    await fresh({ s1: 1, s2: 1, s3: 1 }, { algorithm: 'ROUND_ROBIN' });
    expect(tally(await world.vm('c1').names({ address: VIP4 }, 90))).to.deep.equal({ s1: 30, s2: 30, s3: 30 });
  });

  it('keeps to allowed CIDRs, and to backup members only where nobody else is', async () => {
    const listener = { allowed_cidrs: ['10.0.0.11/32', 'fd00::11/128'] };
    await clearAway(world);
    const standby = members({ s1: 1, s2: 1, s3: 1 }).map((one) => ({ ...one, backup: one.name.startsWith('s3') }));
    await world.apply(balancing('web', standby, { algorithm: 'ROUND_ROBIN', listener }));
    await leased();
    for (const address of VIPS) {
      expect(tally(await world.vm('c1').sequence({ address }, 20))).to.deep.equal({ s1: 10, s2: 10 });
      const [refused] = await world.vm('c2').run('fetch', { address, count: 1, timeoutMs: 300 });
      expect(refused).to.match(/^error /);
    }
  });

  it('gives members of the same host more, or all, where the pool says so', async () => {
    await fresh(
      { s1: 1, s2: 2, s3: 3 },
      { algorithm: 'ROUND_ROBIN', pool: { locality: 'prefer', locality_factor: 4 } },
    );
    const shares = async (vm: string) => tally(await world.vm(vm).sequence({ address: VIP4 }, 30));
    expect(await shares('c1')).to.deep.equal({ s1: 8, s2: 16, s3: 6 });
    expect(await shares('c2')).to.deep.equal({ s1: 2, s2: 4, s3: 24 });
    await fresh({ s1: 1, s2: 1, s3: 1 }, { algorithm: 'ROUND_ROBIN', pool: { locality: 'only' } });
    expect(await shares('c1')).to.deep.equal({ s1: 15, s2: 15 });
    expect(await shares('c2')).to.deep.equal({ s3: 30 });
  });

  it('ROUND_ROBIN of UDP: each client port in turn, and to the same member from then on', async () => {
    await clearAway(world);
    await Promise.all(['s1', 's2', 's3'].map((name) => world.vm(name).run('serveDatagrams', { port: 53 })));
    const servers = members({ s1: 1, s2: 1, s3: 1 }).map((one) => ({ ...one, protocol_port: 53 }));
    const udp = { algorithm: 'ROUND_ROBIN', port: 53, listener: { protocol: 'UDP' } } as const;
    await world.apply(balancing('names', servers, udp));
    await leased();
    for (const address of VIPS) {
      const order: string[] = [];
      for (let fromPort = 20_000; fromPort < 20_009; fromPort++) {
        const told = await world.vm('c1').run('datagrams', { address, port: 53, fromPort, count: 3 });
        expect(new Set(told).size, told.join()).to.equal(1);
        order.push(told[0]!.split(' ')[0]!);
      }
      expect(order.slice(3)).to.deep.equal(order.slice(0, -3));
      expect(new Set(order).size).to.equal(3);
    }
  });

  it('is told by hostlb trace', async () => {
    await fresh({ s1: 1, s2: 1, s3: 1 }, { algorithm: 'ROUND_ROBIN', pool: { name: 'turns' } });
    const { code, stdout } = await world.cli('trace', 'h1', '--from', 'c1', '--to', `${VIP4}:80`);
    expect(code).to.equal(0);
    expect(stdout)
      .to.match(/^choose +the controller is asked/m)
      .and.match(/^Goes to the controller, which chooses one of pool turns/m);
    expect(stdout).to.not.include('not as it should be');
  });

  for (const address of VIPS) {
    it(`LEAST_CONNECTIONS: who has the fewest gets the next, through ${address}`, async () => {
      await fresh({ s1: 1, s2: 1, s3: 1 }, { algorithm: 'LEAST_CONNECTIONS' });
      const held = await hold(address, 9);
      expect(namesOf(held)).to.deep.equal({ s1: 3, s2: 3, s3: 3 });
      for (const { first } of held.filter(({ name }) => name === 's2')) {
        await world.vm('c1').run('close', { first, count: 1 });
      }
      // The end of a connection is noticed in a moment; until then all are equal.
      await until(async () => (await world.vm('c1').sequence({ address }, 3)).join() === 's2,s2,s2', {
        what: 's2 is free',
      });
      expect(namesOf(await hold(address, 3))).to.deep.equal({ s2: 3 });
      await world.vm('c1').run('close');
    });
  }

  it('goes on by the slot table without the controller, and in turn when it is back; what is open stays', async () => {
    await fresh({ s1: 1, s2: 1, s3: 1 }, { algorithm: 'ROUND_ROBIN' });
    const held = await hold(VIP4, 6);
    await world.lab.stopController({ force: true });
    await until(async () => !(await isLeased('h1')), { what: 'the lease has run out' });
    const alone = await world.vm('c1').names({ address: VIP4 }, 60);
    expect(Object.keys(tally(alone)).sort(), alone.join()).to.deep.equal(['s1', 's2', 's3']);
    await world.lab.startController();
    await leased();
    const order = await world.vm('c1').sequence({ address: VIP4 }, 30);
    expect(tally(order)).to.deep.equal({ s1: 10, s2: 10, s3: 10 });
    for (const { name, first } of held) {
      const [said] = await world.vm('c1').run('ask', { first });
      expect(said!.split(' ')[0]).to.equal(name);
    }
    await world.vm('c1').run('close');
  });
});
