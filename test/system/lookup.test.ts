/** Lookup mode respond: the switch of a VM's own host answers ARP, ND and ping for the VIP, with nobody else's help. */
import { expect } from 'chai';
import { holdsLaw } from '../support/law.ts';
import { requireSystem } from '../support/requirements.ts';
import { BLUE, balancing, membersAt, VIP4, VIP6, VIPS, vmAt } from '../support/site.ts';
import { until } from '../support/until.ts';
import { World } from '../support/world.ts';

const ALICE4 = '10.0.0.101';
const ALICE6 = 'fd00::101';

describe('lookup of a VIP', () => {
  const world = new World({
    part: 'lk',
    topology: {
      hosts: [{ name: 'h1' }, { name: 'h2' }],
      networks: [BLUE, { ...BLUE, name: 'red', vlan: 7 }],
      vms: [
        vmAt('c1', 'h1', 11),
        vmAt('c2', 'h2', 12),
        vmAt('a1', 'h1', 13, { owner: 'alice' }),
        vmAt('b1', 'h1', 14, { owner: 'bob' }),
        { ...vmAt('r1', 'h1', 11), network: 'red' },
        { ...vmAt('r2', 'h2', 12), network: 'red' },
      ],
    },
  });

  before(async function () {
    requireSystem(this, ['arping', 'ping']);
    await world.up();
    await world.apply(balancing('web', membersAt([12])));
    await world.apply(balancing('red-web', membersAt([12]), { network: 'red' }));
    await world.apply(balancing('alice-web', membersAt([12]), { owner: 'alice', vips: [ALICE4, ALICE6] }));
  });
  after(() => world.down());
  afterEach(async () => {
    await holdsLaw(world);
    expect(world.restarts()).to.equal(0);
  });

  /** The MAC that a VM finds for an address; undefined when nobody answers. */
  async function lookUp(vm: string, address: string): Promise<string | undefined> {
    if (!address.includes(':')) {
      const { stdout } = await world.lab.exec(vm, ['arping', '-c', '1', '-w', '1', '-I', 'eth0', address]);
      return /reply from \S+ \[(\S+)\]/.exec(stdout)?.[1]?.toLowerCase();
    }
    await world.sh(vm, 'ip', '-6', 'neigh', 'flush', 'dev', 'eth0');
    await world.lab.exec(vm, ['ping', '-c', '1', '-W', '1', address]);
    return /lladdr (\S+)/.exec(await world.sh(vm, 'ip', '-6', 'neigh', 'show', address, 'dev', 'eth0'))?.[1];
  }
  const lookUps = (vms: readonly string[], addresses: readonly string[] = VIPS): Promise<(string | undefined)[]> =>
    Promise.all(vms.flatMap((vm) => addresses.map((address) => lookUp(vm, address))));
  const ping = async (vm: string, address: string, count = 3): Promise<string> =>
    world.sh(vm, 'ping', '-c', `${count}`, '-i', '0.05', '-W', '2', address);

  it('is answered with one MAC, the same on every host and in both families', async () => {
    const found = await lookUps(['c1', 'c2']);
    expect(found[0]).to.match(/^.[26ae](:[0-9a-f]{2}){5}$/);
    expect(new Set(found).size).to.equal(1);
  });

  for (const vip of VIPS) {
    it(`ping of ${vip} is answered on every host`, async () => {
      for (const vm of ['c1', 'c2']) expect(await ping(vm, vip)).to.include('3 received');
    });

    it(`a VM that tries to take ${vip} finds it taken`, async () => {
      if (vip === VIP4) {
        const probe = await world.lab.exec('c1', ['arping', '-D', '-c', '1', '-w', '1', '-I', 'eth0', vip]);
        expect(probe.exitCode, 'arping -D: somebody answered').to.equal(1);
        return;
      }
      await world.sh('c1', 'ip', 'addr', 'add', `${vip}/64`, 'dev', 'eth0');
      try {
        await until(
          async () => (await world.sh('c1', 'ip', '-6', 'addr', 'show', 'dev', 'eth0')).includes('dadfailed'),
          {
            what: 'duplicate address detection fails',
          },
        );
      } finally {
        await world.sh('c1', 'ip', 'addr', 'del', `${vip}/64`, 'dev', 'eth0');
      }
    });
  }

  it('networks of different VLANs have the same VIP and do not meet', async () => {
    const [blue, red] = [await lookUps(['c1', 'c2']), await lookUps(['r1', 'r2'])];
    expect(new Set(red).size).to.equal(1);
    expect(red[0]).to.match(/^.[26ae](:[0-9a-f]{2}){5}$/);
    expect(red[0]).not.to.equal(blue[0]);
  });

  it('a VM of another owner gets no answer; one of the same owner and one without do', async () => {
    const alice = await lookUps(['a1', 'c1', 'c2'], [ALICE4, ALICE6]);
    expect(alice[0]).to.match(/^.[26ae](:[0-9a-f]{2}){5}$/);
    expect(new Set(alice).size).to.equal(1);
    expect(await lookUps(['b1'], [ALICE4, ALICE6])).to.deep.equal([undefined, undefined]);
    expect((await lookUps(['a1', 'b1'])).every((mac) => mac !== undefined)).to.equal(true);
  });

  it('goes on while the controller is dead, and costs no packet-in', async () => {
    /** Packets that flows with and without a packet-in have seen, by what matters here. */
    const counted = async (host: string): Promise<{ answered: number; told: number }> => {
      const sum = (lines: readonly string[]): number =>
        lines.reduce((total, line) => total + Number(/n_packets=(\d+)/.exec(line)![1]), 0);
      const flows = await world.flows(host);
      const answering = flows.filter((line) => new RegExp(`arp_tpa=${VIP4},|nd_target=${VIP6} `).test(line));
      return {
        answered: sum(answering.filter((line) => line.includes('table=103'))),
        told: sum(flows.filter((line) => line.includes('CONTROLLER'))),
      };
    };
    await world.lab.stopController({ force: true });
    try {
      for (const [vm, host] of [
        ['c1', 'h1'],
        ['c2', 'h2'],
      ] as const) {
        const before = await counted(host);
        for (let i = 0; i < 5; i++) await lookUp(vm, VIP4);
        for (let i = 0; i < 5; i++) expect(await lookUp(vm, VIP6)).to.be.a('string');
        expect(await ping(vm, VIP4)).to.include('3 received');
        const after = await until(
          async () => {
            const now = await counted(host);
            return now.answered >= before.answered + 10 && now;
          },
          { what: `the flows on ${host} have counted the lookups` },
        );
        expect(after.told).to.equal(before.told);
      }
    } finally {
      world.lab.startController();
    }
    expect((await lookUps(['c1', 'c2'])).every((mac) => mac !== undefined)).to.equal(true);
  });
});
