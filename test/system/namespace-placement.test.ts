/** Placement namespace: HAProxy in a namespace of each host, plugged into its switch by the agent. */
import { expect } from 'chai';
import { killAll } from '../support/kill.ts';
import { holdsLaw } from '../support/law.ts';
import { requireSystem } from '../support/requirements.ts';
import { addressesOf, BLUE, balancing, membersAt, VIP4, VIP6, VIPS, vmAt } from '../support/site.ts';
import { NO_TRACES, tracesOf } from '../support/traces.ts';
import { until } from '../support/until.ts';
import { tally } from '../support/vm.ts';
import { inVm, watching } from '../support/wire.ts';
import { World } from '../support/world.ts';

const NAMES = ['s1', 's2', 's3'];
const NUMBERS = [21, 22, 23];
const IPV4 = (numbers: readonly number[]) => membersAt(numbers).filter(({ address }) => !address.includes(':'));
const NAMESPACE = { placement: 'namespace', algorithm: 'ROUND_ROBIN' } as const;
const LOAD = { endpoints: VIPS.map((address) => ({ address })), perSecond: 60 };

describe('placement namespace', () => {
  const world = new World({
    part: 'ns',
    controller: ['--linger', '0.5'],
    topology: {
      hosts: [{ name: 'h1' }, { name: 'h2' }],
      networks: [
        BLUE,
        { name: 'red', vlan: 7, subnets: ['10.0.7.0/24', 'fd07::/64'], balancer_range: '10.0.7.240-10.0.7.250' },
        { name: 'tiny', vlan: 9, subnets: ['10.0.9.0/24'], balancer_range: '10.0.9.240-10.0.9.240' },
      ],
      vms: [
        vmAt('c1', 'h1', 11),
        vmAt('c2', 'h2', 12),
        vmAt('s1', 'h1', 21),
        vmAt('s2', 'h2', 22),
        vmAt('s3', 'h2', 23),
        { name: 'r1', host: 'h1', network: 'red', ips: ['10.0.7.11', 'fd07::11'] },
        { name: 'r2', host: 'h2', network: 'red', ips: ['10.0.7.21', 'fd07::21'] },
      ],
    },
  });

  before(async function () {
    requireSystem(this, ['haproxy', 'tcpdump', 'arping', 'python3']);
    await world.up();
    await Promise.all([
      world.serve([...NAMES, 'r2']),
      world.apply(balancing('web', membersAt(NUMBERS), NAMESPACE)),
      world.apply(balancing('one-family', IPV4(NUMBERS), { ...NAMESPACE, vips: ['fd00::101'] })),
    ]);
  });
  after(() => world.down());
  afterEach(async () => {
    await holdsLaw(world);
    expect(world.restarts()).to.equal(0);
  });

  const clientsSeen = async (vm: string, address: string): Promise<string[]> => {
    const answers = await world.vm(vm).run('fetch', { address, count: 6 });
    return [...new Set(answers.map((answer) => answer.split(' ')[1]!))].sort();
  };

  for (const address of VIPS) {
    it(`gives connections to ${address} to each member in turn, on every host`, async () => {
      for (const vm of ['c1', 'c2', 's1']) {
        const names = await world
          .vm(vm)
          .names({ address }, 1)
          .then(async ([first]) => {
            const rest = await world.vm(vm).run('fetch', { address, count: 17 });
            return [first!, ...rest.map((answer) => answer.split(' ')[0]!)];
          });
        expect([...new Set(names)].sort(), vm).to.deep.equal(NAMES);
        // Three machines with two addresses each: the turn is six long.
        expect(names.slice(6), vm).to.deep.equal(names.slice(0, 12));
      }
    });

    it(`carries 20 MB whole, both ways, through ${address}, and 200 connections at once`, async () => {
      const client = world.vm('c1');
      expect(await client.run('transfer', { address, bytes: 20 << 20 })).to.equal(true);
      const first = await client.run('open', { address, count: 200 });
      const answers = await client.run('ask', { first, count: 200 });
      expect(answers.filter((answer) => answer.startsWith('error'))).to.deep.equal([]);
      await client.run('close');
    });
  }

  it('shows the VIP MAC in every frame that a client gets', async () => {
    const said = await world.sh('c2', 'arping', '-c', '1', '-w', '2', '-I', 'eth0', VIP4);
    const vipMac = /\[(\S+)\]/.exec(said)![1]!.toLowerCase();
    const [seen] = await watching([inVm(world.lab, 'c2')], async () => {
      for (const address of VIPS) await world.vm('c2').run('fetch', { address, count: 10, parallel: 2 });
    });
    const { mac } = world.lab.status().vms.find(({ name }) => name === 'c2')!;
    const fromVip = seen!.filter(({ source, from }) => from !== mac && source !== undefined && VIPS.includes(source));
    expect(fromVip.length).to.be.greaterThan(40);
    expect([...new Set(fromVip.map(({ from }) => from))]).to.deep.equal([vipMac]);
    expect([...new Set(fromVip.map(({ to }) => to))]).to.deep.equal([mac]);
  });

  it("shows members the host's own address, one for all its balancers", async () => {
    const [h1, h2] = [await clientsSeen('c1', 'fd00::101'), await clientsSeen('c2', 'fd00::101')];
    expect([...h1, ...h2].sort()).to.deep.equal(['10.0.0.240', '10.0.0.241']);
    for (const address of VIPS) {
      const seen = await clientsSeen('c1', address);
      expect(seen.filter((one) => !one.includes(':'))).to.deep.equal(h1);
      expect(seen.filter((one) => one.includes(':'))).to.have.length(1);
      expect(seen).not.to.include(VIP6).and.not.to.include(addressesOf(11)[1]);
    }
  });

  it('serves a tagged network', async () => {
    const vips = ['10.0.7.100', 'fd07::100'];
    const members = ['10.0.7.21', 'fd07::21'].map((address) => ({ address, protocol_port: 80 }));
    await world.apply(balancing('red-web', members, { ...NAMESPACE, network: 'red', vips }));
    for (const address of vips) expect(await world.vm('r1').names({ address }, 2)).to.deep.equal(['r2', 'r2']);
    for (const address of vips) expect(await world.vm('r2').names({ address }, 2)).to.deep.equal(['r2', 'r2']);
    await world.remove('red-web');
  });

  it('fails no connection while the agents are killed and come back, nor while members change', async () => {
    const clients = ['c1', 'c2'].map((vm) => world.vm(vm));
    await Promise.all(clients.map((client) => client.run('load', LOAD)));
    for (const host of world.hosts) await world.lab.stopAgent(host, { force: true });
    for (const address of VIPS) expect(await world.vm('c1').names({ address })).to.have.length(1);
    for (const host of world.hosts) world.lab.startAgent(host);
    await world.apply(balancing('web', membersAt([21, 22]), NAMESPACE));
    await world.apply(balancing('web', membersAt(NUMBERS), NAMESPACE));
    for (const client of clients) {
      const { failures, answers } = await client.run('unload');
      expect(failures).to.deep.equal([]);
      expect(Object.keys(answers).sort()).to.deep.equal(NAMES);
    }
  });

  it('has HAProxy back when it is killed, while the other host notices nothing', async () => {
    const before = await tracesOf(world, 'h1');
    await world.vm('c2').run('load', LOAD);
    killAll(before.processes);
    for (const address of VIPS) {
      await until(async () => (await world.vm('c1').names({ address }))[0]!.startsWith('s'), {
        what: `${address} serves c1 again`,
      });
    }
    await world.ready();
    // Back for good: who begins now is served.
    expect(tally(await world.vm('c1').names({ address: VIP4 }, 30))).to.have.all.keys(NAMES);
    const { failures, answers } = await world.vm('c2').run('unload');
    expect(failures).to.deep.equal([]);
    expect(answers).to.have.all.keys(NAMES);
    const after = await tracesOf(world, 'h1');
    expect(after.processes.filter((pid) => before.processes.includes(pid))).to.deep.equal([]);
    expect(after.namespaces).to.deep.equal(before.namespaces);
  });

  it('says which balancers get no address when the range is exhausted, and leaves the others alone', async () => {
    await Promise.all(
      ['h1', 'h2'].map((host, i) =>
        world.addVm({ name: `t${i + 1}`, host, network: 'tiny', ips: [`10.0.9.${11 + i}`] }),
      ),
    );
    const document = balancing('tiny-web', [{ address: '10.0.9.11', protocol_port: 80 }], {
      ...NAMESPACE,
      network: 'tiny',
      vips: ['10.0.9.100'],
    });
    await world.client.request('PUT', '/v1/apply', document);
    const rows = await until(
      async () => {
        const tiny = (await world.balancers()).filter(({ loadbalancer }) => loadbalancer === 'tiny-web');
        return tiny.some(({ state }) => state === 'failed') && tiny.some(({ state }) => state === 'ready') && tiny;
      },
      { what: 'one balancer is ready, one has failed' },
    );
    const failed = rows.find(({ state }) => state === 'failed')!;
    expect(failed.error).to.match(/^Network tiny has no free IPv4 address .*10\.0\.9\.240/);
    expect((await world.cli('status')).stdout).to.include(`balancer of tiny-web on ${failed.host}: ${failed.error}`);
    for (const address of VIPS) expect(NAMES).to.include((await world.vm('c1').names({ address }))[0]);
    const others = (await world.balancers()).filter(({ loadbalancer }) => loadbalancer !== 'tiny-web');
    expect([...new Set(others.map(({ state, error }) => `${state}${error}`))]).to.deep.equal(['ready']);
    // Where an address becomes free, the other host gets it.
    const holder = rows.find(({ state }) => state === 'ready')!.host;
    await world.removeVm(holder === 'h1' ? 't1' : 't2');
    await world.ready();
    await world.remove('tiny-web');
    await world.removeVm(holder === 'h1' ? 't2' : 't1');
  });

  it('a balancer comes with the first VM and goes with the last, and nothing is left of it', async () => {
    await world.remove('one-family');
    await world.apply(balancing('web', membersAt([22, 23]), NAMESPACE));
    const one = await tracesOf(world, 'h1');
    expect(one.namespaces).to.have.length(1);
    expect(one.processes.length).to.be.greaterThan(0);
    await Promise.all(['c1', 's1', 'r1'].map((vm) => world.removeVm(vm)));
    await until(async () => (await world.balancers()).every(({ host }) => host !== 'h1'), {
      what: 'no balancer on h1',
    });
    let left = one;
    await until(
      async () => {
        left = await tracesOf(world, 'h1');
        return JSON.stringify(left) === JSON.stringify(NO_TRACES);
      },
      { what: () => `nothing is left on h1: ${JSON.stringify(left)}` },
    );
    expect(one.processes.filter((pid) => pidAlive(pid))).to.deep.equal([]);
    expect((await world.vm('c2').names({ address: VIP6 }))[0]).to.be.oneOf(['s2', 's3']);
    await world.addVm({ name: 'c1', host: 'h1', ips: addressesOf(11) });
    await world.ready();
    expect((await world.vm('c1').names({ address: VIP4 }))[0]).to.be.oneOf(['s2', 's3']);
  });
});

function pidAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
