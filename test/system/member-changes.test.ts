/** Changes under load: no request fails, and connections that are open go on. */
import { expect } from 'chai';
import { holdsLaw } from '../support/law.ts';
import { nothingLeft } from '../support/leftovers.ts';
import { requireSystem } from '../support/requirements.ts';
import { BLUE, balancing, membersAt, VIPS, vmAt } from '../support/site.ts';
import { until } from '../support/until.ts';
import { World } from '../support/world.ts';

/** The same servers, as a TCP and as an HTTP service. */
const SERVICES = [
  { protocol: 'TCP', vips: VIPS },
  { protocol: 'HTTP', vips: ['10.0.0.101', 'fd00::101'] },
] as const;
const LOAD = {
  endpoints: SERVICES.flatMap(({ vips }) => vips.map((address) => ({ address }))),
  perSecond: 100,
};
const OPEN_COUNT = 4;

describe('changes of members under load', () => {
  const world = new World({
    part: 'mc',
    controller: ['--linger', '0.5'],
    topology: {
      hosts: [{ name: 'h1' }, { name: 'h2' }],
      networks: [BLUE],
      vms: [
        vmAt('c1', 'h1', 11),
        vmAt('s1', 'h1', 21),
        vmAt('s2', 'h2', 22),
        vmAt('s3', 'h2', 23),
        vmAt('s4', 'h1', 24),
      ],
    },
  });
  /** Connections that are kept, and who served them. */
  interface Held {
    readonly protocol: 'TCP' | 'HTTP';
    readonly first: number;
    readonly names: readonly string[];
  }
  let held: Held[] = [];

  const apply = (members: ReturnType<typeof membersAt>, listener: object = {}) =>
    world.apply({
      load_balancers: SERVICES.flatMap(({ protocol, vips }) => {
        const more = { listener: { protocol, ...listener }, pool: { protocol }, vips: [...vips] };
        const name = protocol.toLowerCase();
        return balancing(name, members, { placement: 'namespace', algorithm: 'ROUND_ROBIN', ...more }).load_balancers!;
      }),
    });
  async function hold(wanted: 'TCP' | 'HTTP'): Promise<void> {
    const { protocol, vips } = SERVICES.find((service) => service.protocol === wanted)!;
    for (const address of vips) {
      const first = await world.vm('c1').run('open', { address, count: OPEN_COUNT });
      const names = await world.vm('c1').run('ask', { first, count: OPEN_COUNT });
      expect(names.join()).to.not.include('error');
      held.push({ protocol, first, names: names.map((said) => said.split(' ')[0]!) });
    }
  }

  before(async function () {
    requireSystem(this, ['haproxy']);
    await world.up();
    await Promise.all([world.serve(['s1', 's2', 's3', 's4']), apply(membersAt([21, 22]))]);
    for (const { protocol } of SERVICES) await hold(protocol);
    await world.vm('c1').run('load', LOAD);
  });
  after(() => world.down());
  afterEach(async () => {
    await holdsLaw(world);
    await nothingLeft(world);
    expect(world.restarts()).to.equal(0);
    for (const { protocol, first, names } of held) {
      const now = await world.vm('c1').run('ask', { first, count: OPEN_COUNT });
      expect(now.join(), protocol).to.not.include('error');
      if (protocol === 'TCP') expect(now.map((said) => said.split(' ')[0])).to.deep.equal(names);
      else await world.vm('c1').run('close', { first, count: OPEN_COUNT });
    }
    // In HTTP each request is balanced anew, and a worker that was replaced answers once more and then closes.
    held = held.filter(({ protocol }) => protocol === 'TCP');
    await hold('HTTP');
    expect((await world.vm('c1').run('progress')).failed).to.equal(0);
  });

  /** Some more requests have been answered. */
  async function loaded(): Promise<void> {
    const { answered } = await world.vm('c1').run('progress');
    await until(async () => (await world.vm('c1').run('progress')).answered > answered + 60, {
      what: 'more requests',
    });
  }

  it('members are added', async () => {
    for (const numbers of [
      [21, 22, 23],
      [21, 22, 23, 24],
    ]) {
      await apply(membersAt(numbers));
      await loaded();
    }
  });

  it('weights change', async () => {
    for (const weight of [5, 100, 2]) {
      await apply([...membersAt([21, 22]), ...membersAt([23, 24], { weight })]);
      await loaded();
    }
  });

  it('a member drains, and leaves', async () => {
    await apply([...membersAt([21, 22, 23]), ...membersAt([24], { weight: 0 })]);
    await loaded();
    await apply(membersAt([21, 22, 23]));
    await loaded();
  });

  it('members leave and come at once, without having drained', async () => {
    for (const numbers of [
      [21, 22, 24],
      [21, 22],
      [21, 22, 23, 24],
    ]) {
      await apply(membersAt(numbers));
      await loaded();
    }
  });

  it('the listener changes, which takes a new worker', async () => {
    for (const timeout of [40_000, 45_000]) {
      await apply(membersAt([21, 22, 23, 24]), { timeout_client_data: timeout });
      await loaded();
    }
  });

  it('agents are killed, and end', async () => {
    for (const force of [true, false]) {
      for (const host of world.hosts) await world.lab.stopAgent(host, { force });
      await loaded();
      for (const host of world.hosts) world.lab.startAgent(host);
      await apply(membersAt(force ? [21, 22, 23] : [21, 22, 23, 24]), { timeout_client_data: 45_000 });
      await loaded();
    }
  });

  it('the controller is killed', async () => {
    await world.lab.stopController({ force: true });
    await loaded();
    world.lab.startController();
    const hosts = () => world.hostList().catch(() => []);
    await until(async () => (await hosts()).filter(({ status }) => status === 'connected').length === 2, {
      what: 'the controller is back',
    });
    await world.ready();
  });

  it('1,000 requests have been answered, and none failed', async () => {
    const client = world.vm('c1');
    await until(async () => (await client.run('progress')).answered >= 1000, { what: '1,000 requests' });
    const { answers, failures } = await client.run('unload');
    expect(failures).to.deep.equal([]);
    expect(Object.keys(answers).sort()).to.deep.equal(['s1', 's2', 's3', 's4']);
  });
});
