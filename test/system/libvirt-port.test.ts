/** A VM that libvirt itself plugs into the bridge, as virt-manager or a cloud would: hostlb never made it, and serves it. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { VmChannel } from '../../src/agent/drivers/vm-channel.ts';
import { packaged } from '../../src/util/paths.ts';
import { requireSystem } from '../support/requirements.ts';
import { addressesOf, BLUE, balancing, membersAt, VIPS, vmAt } from '../support/site.ts';
import { until } from '../support/until.ts';
import { IMAGES_TIMEOUT_MS, VM_PROGRAMS, vmImages } from '../support/vm-images.ts';
import { World } from '../support/world.ts';

const MAC = '52:54:00:12:34:56';
const PORT_ID = 'f1f2f3f4-0001-4002-8003-000000000001';
const BOOT_TIMEOUT_MS = 60_000;

const domain = (name: string, { images, dir }: { readonly images: string; readonly dir: string }): string => `
<domain type='qemu'>
  <name>${name}</name>
  <memory unit='MiB'>128</memory>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>${images}/vmlinuz</kernel>
    <initrd>${images}/initramfs</initrd>
    <cmdline>quiet panic=-1 tsc=reliable no_timer_check</cmdline>
  </os>
  <devices>
    <interface type='bridge'>
      <mac address='${MAC}'/>
      <source bridge='br-int'/>
      <virtualport type='openvswitch'><parameters interfaceid='${PORT_ID}'/></virtualport>
      <model type='virtio'/>
    </interface>
    <channel type='unix'><source mode='bind' path='${dir}/channel.sock'/><target type='virtio' name='hostlb'/></channel>
  </devices>
  <seclabel type='none'/>
</domain>
`;

describe('a port that libvirt made', () => {
  const world = new World({
    part: 'lv',
    controller: ['--linger', '0.5'],
    // h1 has no VM of its own: its balancer is there for libvirt's.
    topology: {
      hosts: [{ name: 'h1' }, { name: 'h2' }],
      networks: [BLUE],
      vms: [vmAt('c2', 'h2', 12), vmAt('s1', 'h2', 21), vmAt('s2', 'h2', 22)],
    },
  });
  const name = `${world.lab.name}-guest`;
  const dir = join(world.lab.paths.host('h1'), 'guest');
  let guest: VmChannel | undefined;

  const libvirt = (verb: 'create' | 'destroy', what: string): Promise<string> =>
    world.sh(
      'h1',
      process.execPath,
      '--import',
      'tsx',
      packaged('test/support/own-libvirt.ts'),
      `${dir}/libvirt`,
      verb,
      what,
    );
  const vm = async () => (await world.vmList()).find(({ iface_id: id }) => id === PORT_ID);
  const onH1 = async () => (await world.balancers()).filter(({ host }) => host === 'h1');

  before(async function () {
    this.timeout(IMAGES_TIMEOUT_MS);
    requireSystem(this, VM_PROGRAMS);
    const images = await vmImages();
    await world.up();
    await world.serve(['s1', 's2']);
    await world.apply(balancing('web', membersAt([21, 22])));
    expect(await onH1()).to.deep.equal([]);
    await mkdir(dir, { recursive: true });
    await writeFile(`${dir}/domain.xml`, domain(name, { images, dir }));
    await libvirt('create', `${dir}/domain.xml`);
  });
  after(async () => {
    guest?.close();
    await world.down();
  });

  it('is recognised as a VM', async () => {
    await until(async () => (await vm()) !== undefined, { what: () => 'the VM in the list' });
    expect(await vm()).to.include({ host: 'h1', network: 'blue', mac: MAC, name: '', registered: false, kind: null });
    const { stdout } = await world.cli('vm', 'list', '-o', 'json');
    expect(JSON.parse(stdout).map((one: { iface_id: string }) => one.iface_id)).to.include(PORT_ID);
  });

  it('brings a balancer to its host', async () => {
    await world.ready();
    expect((await onH1()).map(({ loadbalancer, state }) => [loadbalancer, state])).to.deep.equal([['web', 'ready']]);
  });

  it('reaches the VIP in both families, and each member', async () => {
    const told = { path: `${dir}/channel.sock`, name, closed: () => {}, told: () => {} };
    guest = await VmChannel.open(told, BOOT_TIMEOUT_MS);
    const setup = addressesOf(11).map(
      (address) => `ip addr add ${address}/${address.includes(':') ? '64 nodad' : '24'} dev eth0`,
    );
    await guest.run(['set -e', ...setup, 'ethtool -K eth0 tx off', 'ip link set eth0 up'].join('\n'));
    for (const vip of VIPS) {
      const ask = `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 5 ${vip} 80 | tail -n 1`;
      const answers = await guest.run(`for i in 1 2 3 4 5 6 7 8 9 10 11 12; do ${ask}; echo; done`);
      const names = answers
        .trim()
        .split('\n')
        .map((line) => line.split(' ')[0]);
      expect(names.length, answers).to.equal(12);
      expect([...new Set(names)].sort(), vip).to.deep.equal(['s1', 's2']);
    }
  });

  it('takes its balancer along when it goes', async () => {
    await libvirt('destroy', name);
    await until(async () => (await onH1()).length === 0 && (await vm()) === undefined, { what: () => 'h1 without VM' });
    expect(await world.flows('h1')).to.deep.equal([]);
  });
});
