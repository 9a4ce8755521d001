/** A host's own address toward members passes to another host: nobody goes on sending to the former one. */
import { expect } from 'chai';
import { nothingLeft } from '../support/leftovers.ts';
import { requireSystem } from '../support/requirements.ts';
import { until } from '../support/until.ts';
import { World } from '../support/world.ts';

const ADDRESS = '10.0.0.240';
const BLUE = { name: 'blue', vlan: 10, subnets: ['10.0.0.0/24'], balancer_range: `${ADDRESS}-${ADDRESS}` };
const VIP = '10.0.0.100';

describe("a host's own address", () => {
  const world = new World({
    part: 'oa',
    controller: ['--linger', '0.2'],
    topology: {
      hosts: [{ name: 'h1' }, { name: 'h2' }],
      networks: [BLUE],
      vms: [{ name: 's1', host: 'h1', owner: 'service', ips: ['10.0.0.21'] }],
    },
  });
  before(async function () {
    requireSystem(this, ['haproxy']);
    await world.up();
    await world.serve(['s1']);
    const members = [{ address: '10.0.0.21', protocol_port: 80 }];
    const pool = { lb_algorithm: 'ROUND_ROBIN' as const, members };
    const listener = { protocol: 'TCP' as const, protocol_port: 80, default_pool: pool };
    const web = { name: 'web', network: 'blue', owner: 'tenant', vips: [VIP], placement: 'namespace' as const };
    await world.apply({ load_balancers: [{ ...web, listeners: [listener] }] });
  });
  after(() => world.down());

  /** Where the member takes the address to be. */
  const known = async (): Promise<string | undefined> =>
    / lladdr (\S+)/.exec(await world.sh('s1', 'ip', 'neigh', 'show', ADDRESS, 'dev', 'eth0'))?.[1];
  async function visit(host: string, last: number): Promise<void> {
    await world.addVm({ name: `c${last}`, host, owner: 'tenant', ips: [`10.0.0.${last}`] });
    await world.ready();
  }

  it('passes to another host: members are told before anybody asks them', async () => {
    await visit('h1', 11);
    expect(await world.vm('c11').names({ address: VIP }, 1)).to.deep.equal(['s1']);
    const before = await known();
    expect(before).to.be.a('string');
    await world.removeVm('c11');
    await until(async () => (await world.balancers()).length === 0, { what: 'the balancer goes' });
    await visit('h2', 12);
    await until(async () => (await known()) !== before, { what: 'the member knows the new host' });
    expect(await world.vm('c12').names({ address: VIP }, 1)).to.deep.equal(['s1']);
    await nothingLeft(world);
  });
});
