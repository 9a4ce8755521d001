/** The life of balancers outside the switch: one for many VMs, addresses that run out, and nothing that gets out of a sandbox. */
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { sandboxMac } from '../../src/model/vip-mac.ts';
import { holdsLaw } from '../support/law.ts';
import { requireSystem } from '../support/requirements.ts';
import { BLUE, balancing, membersAt, VIP4, VIPS, vmAt } from '../support/site.ts';
import { NO_TRACES, tracesOf } from '../support/traces.ts';
import { until } from '../support/until.ts';
import { inVm, uplinkOf, watching } from '../support/wire.ts';
import { World } from '../support/world.ts';

const NAMESPACE = { placement: 'namespace', algorithm: 'ROUND_ROBIN' } as const;
const TIGHT = { name: 'tight', vlan: 9, subnets: ['10.0.9.0/24'] };

describe('lifecycle of balancers outside the switch', () => {
  const world = new World({
    part: 'lo',
    controller: ['--linger', '0.5'],
    topology: {
      hosts: [{ name: 'h1' }, { name: 'h2' }],
      networks: [
        BLUE,
        { ...TIGHT, balancer_range: '10.0.9.240-10.0.9.240' },
        { name: 'six', vlan: 6, subnets: ['fd06::/64'] },
      ],
      vms: [
        vmAt('c2', 'h2', 12),
        vmAt('s2', 'h2', 22),
        { name: 'v1', host: 'h1', network: 'six', ips: ['fd06::11'] },
        { name: 'v2', host: 'h2', network: 'six', ips: ['fd06::12'] },
      ],
    },
  });

  before(async function () {
    requireSystem(this, ['haproxy', 'tcpdump', 'python3']);
    await world.up();
    await Promise.all([world.serve(['s2', 'v2']), world.apply(balancing('web', membersAt([22]), NAMESPACE))]);
  });
  after(() => world.down());
  afterEach(async () => {
    await holdsLaw(world);
    expect(world.restarts()).to.equal(0);
  });

  const rows = async (loadBalancer: string, host?: string) =>
    (await world.balancers()).filter(
      (row) => row.loadbalancer === loadBalancer && (host === undefined || row.host === host),
    );
  const serves = async (vm: string): Promise<void> => {
    for (const address of VIPS) expect(await world.vm(vm).names({ address }, 2), vm).to.deep.equal(['s2', 's2']);
  };
  async function isClean(host: string): Promise<void> {
    let left = await tracesOf(world, host);
    await until(
      async () => {
        left = await tracesOf(world, host);
        return JSON.stringify(left) === JSON.stringify(NO_TRACES);
      },
      { what: () => `nothing is left on ${host}: ${JSON.stringify(left)}` },
    );
  }

  it('many VMs at once make one balancer, and how long it took is told', async () => {
    const names = Array.from({ length: 8 }, (_, i) => `m${i}`);
    const seen = new Set<string>();
    let isDone = false;
    const watch = async (): Promise<void> => {
      while (!isDone) for (const { id } of await rows('web', 'h1')) seen.add(id);
    };
    const watched = watch();
    await Promise.all(names.map((name, i) => world.addVm(vmAt(name, 'h1', 31 + i))));
    await world.ready();
    isDone = true;
    await watched;
    expect([...seen]).to.have.length(1);
    expect((await tracesOf(world, 'h1')).namespaces).to.have.length(1);
    for (const name of names.slice(0, 3)) await serves(name);

    const [row] = await rows('web', 'h1');
    expect(row!.ready_ms).to.be.greaterThan(0);
    const log = readFileSync(`${world.lab.paths.dir}/controller.log`, 'utf8').split('\n');
    const told = log.filter((line) => line.includes('"balancer ready"')).map((line) => JSON.parse(line));
    const own = told.filter(({ host, name }) => host === 'h1' && name === 'web');
    expect(own.map(({ placement, ms, loadBalancer }) => [placement, ms, loadBalancer])).to.deep.equal([
      ['namespace', row!.ready_ms, row!.loadbalancer_id],
    ]);

    await Promise.all(names.map((name) => world.removeVm(name)));
    await until(async () => (await rows('web', 'h1')).length === 0, { what: 'no balancer on h1' });
  });

  it('an exhausted range is told where it hurts, and nowhere else, and is over when the range grows', async () => {
    await isClean('h1');
    await Promise.all(
      ['h1', 'h2'].map((host, i) =>
        world.addVm({ name: `t${i + 1}`, host, network: 'tight', ips: [`10.0.9.${11 + i}`] }),
      ),
    );
    await world.serve(['t1', 't2']);
    const vips = [['10.0.9.100'], ['10.0.9.101']];
    const members = [{ address: '10.0.9.12', protocol_port: 80 }];
    for (const [i, own] of vips.entries()) {
      const document = balancing(`tight-${i}`, members, { ...NAMESPACE, network: 'tight', vips: own });
      await world.client.request('PUT', '/v1/apply', document);
    }
    const told = await until(
      async () => {
        const tight = [...(await rows('tight-0')), ...(await rows('tight-1'))];
        const count = (state: string) => tight.filter((row) => row.state === state).length;
        return count('failed') === 2 && count('ready') === 2 && tight;
      },
      { what: 'both have failed on one host, and are ready on the other' },
    );
    const failed = told.filter(({ state }) => state === 'failed');
    expect(new Set(failed.map(({ host }) => host)).size).to.equal(1);
    for (const { error } of failed) expect(error).to.match(/^Network tight has no free IPv4 address .*10\.0\.9\.240/);
    for (const { error, state } of await rows('web')) expect([state, error]).to.deep.equal(['ready', '']);
    await serves('c2');

    await world.apply({ networks: [{ ...TIGHT, balancer_range: ['10.0.9.240-10.0.9.241'] }] });
    for (const vm of ['t1', 't2']) {
      for (const [address] of vips) expect(await world.vm(vm).names({ address: address! })).to.deep.equal(['t2']);
    }
    for (const name of ['tight-0', 'tight-1']) await world.remove(name);
    await Promise.all(['t1', 't2'].map((vm) => world.removeVm(vm)));
  });

  it('an IPv6-only network needs no range', async () => {
    const members = [{ address: 'fd06::12', protocol_port: 80 }];
    await world.apply(balancing('six-web', members, { ...NAMESPACE, network: 'six', vips: ['fd06::100'] }));
    for (const vm of ['v1', 'v2']) {
      expect(await world.vm(vm).names({ address: 'fd06::100' }, 2), vm).to.deep.equal(['v2', 'v2']);
    }
    await world.remove('six-web');
    await isClean('h1');
  });

  it('nothing gets out of a sandbox while it comes, asks its members how they are, and goes', async () => {
    const health = { type: 'TCP' as const, delay: 1, timeout: 1, max_retries: 1 };
    const pool = { lb_algorithm: 'ROUND_ROBIN' as const, members: membersAt([22]), healthmonitor: health };
    const listeners = [{ name: 'l', protocol: 'TCP' as const, protocol_port: 80, default_pool: pool }];
    await world.apply(balancing('web', [], { ...NAMESPACE, listeners }));
    const { id: host } = (await world.hostList()).find(({ name }) => name === 'h1')!;
    const mac = sandboxMac((await rows('web'))[0]!.loadbalancer_id, host);
    const [uplink, vm] = await watching([uplinkOf(world.lab, 'h1'), inVm(world.lab, 'v1')], async () => {
      for (let round = 0; round < 3; round++) {
        await world.addVm(vmAt('c1', 'h1', 11));
        await world.ready();
        await serves('c1');
        await world.removeVm('c1');
        await isClean('h1');
      }
    });
    expect(uplink!.length).to.be.greaterThan(20);
    const escaped = [...uplink!, ...vm!].filter(
      ({ from, to, source, claims }) => [from, to].includes(mac) || [source, claims].some((a) => a && VIPS.includes(a)),
    );
    const told = escaped.map(({ kind, from, to, bytes }) => `${kind} ${from} to ${to}: ${bytes.toString('hex')}`);
    expect(told).to.deep.equal([]);
    expect(await world.vm('c2').names({ address: VIP4 })).to.deep.equal(['s2']);
  });
});
