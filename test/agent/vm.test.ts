/** What only balancers in virtual machines have to show; the rest is in compliance/. */
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { createVmDriver } from '../../src/agent/drivers/vm.ts';
import { VmChannel } from '../../src/agent/drivers/vm-channel.ts';
import { createOwnLibvirt } from '../../src/agent/drivers/vm-libvirtd.ts';
import type { SandboxNames } from '../../src/agent/names.ts';
import type { SandboxPlan } from '../../src/agent/plan.ts';
import { requireSystem } from '../support/requirements.ts';
import { until } from '../support/until.ts';
import { IMAGES_TIMEOUT_MS, VM_PROGRAMS, vmImages } from '../support/vm-images.ts';
import { answering, Bench, planOf, VIP4 } from './compliance/bench.ts';

const MASTER_PORT = 65_535;

describe('balancers in virtual machines', function () {
  this.timeout(IMAGES_TIMEOUT_MS);
  const bench = new Bench();
  let names: SandboxNames;
  let images: string;
  let current: ReturnType<typeof agent> | undefined;

  /** An agent that has just started. */
  const agent = () => {
    let tell: (reason: string) => void = () => {};
    const lost = new Promise<string>((resolve) => {
      tell = resolve;
    });
    const libvirt = createOwnLibvirt(join(bench.runDir, 'libvirt'));
    const driver = createVmDriver({
      naming: bench.naming('vm'),
      ports: bench.ports,
      libvirt,
      log: { info: () => {} },
      images,
    });
    const parts = driver.sandbox(names, tell);
    const make = async (plan: SandboxPlan): Promise<void> => {
      await parts.create(plan, { isDoubted: true });
      await Promise.all([parts.plug(plan), parts.configure(plan)]);
    };
    return { parts, make, lost };
  };
  /** The pid of QEMU: another one is another machine. */
  const machine = () => readFile(join(bench.runDir, 'libvirt/run/qemu', `${names.name}.pid`), 'utf8');
  /** Runs a script in the machine, while no agent is connected to it. */
  const inside = async (script: string): Promise<string> => {
    const told = { path: join(names.dir, 'channel.sock'), name: names.name, closed: () => {}, told: () => {} };
    const channel = await VmChannel.open(told, 20_000);
    try {
      return await channel.run(script);
    } finally {
      channel.close();
    }
  };

  before(async function () {
    requireSystem(this, [...VM_PROGRAMS, 'curl']);
    images = await vmImages();
    await bench.up();
    names = bench.naming('vm').of(1);
    current = agent();
    await current.make(planOf(names));
    current.parts.release();
  });
  after(async () => {
    if (names !== undefined) {
      const { parts } = agent();
      for (const step of ['stop', 'unplug', 'destroy'] as const) await parts[step]();
      expect(await bench.leftovers(bench.naming('vm'))).to.deep.equal([]);
      await until(() => !existsSync(join(bench.runDir, 'libvirt')), { what: 'an end of libvirtd' });
    }
    await bench.down();
  });
  afterEach(() => current?.parts.release());

  it('are adopted whole while they boot still', async () => {
    // As an agent leaves it that is killed after it has started the machine.
    const libvirt = createOwnLibvirt(join(bench.runDir, 'libvirt'));
    await libvirt.destroy(names.name);
    const description = join(names.dir, 'domain.xml');
    await writeFile(description, await readFile(description));
    await libvirt.create(description);
    const booting = await machine();
    current = agent();
    await current.make(planOf(names));
    expect(await machine()).to.equal(booting);
    expect(await bench.answers()).to.deep.equal(['one', 'one']);
  });

  it('stay when HAProxy ends in them: it alone is started again', async () => {
    const before = await machine();
    // The machine hears only its agent by then, but for what comes over the network.
    const pinged = 'grep -q InType8 /proc/net/snmp';
    await inside(`(until ${pinged}; do usleep 200000; done; kill -9 $(pidof haproxy)) >/dev/null 2>&1 3>&- &`);
    current = agent();
    await current.make(planOf(names));
    await bench.inClient('ping', '-c', '1', '-W', '5', VIP4);
    expect(await current.lost).to.match(/^HAProxy \d+ ended$/);
    await current.make(planOf(names));
    expect(await bench.answers()).to.deep.equal(['one', 'one']);
    expect(await machine()).to.equal(before);
  });

  it('have HAProxy started again that ended while no agent was there', async () => {
    const before = await machine();
    await inside('kill -9 $(pidof haproxy)');
    current = agent();
    await current.make(planOf(names));
    expect(await bench.answers()).to.deep.equal(['one', 'one']);
    expect(await machine()).to.equal(before);
  });

  it('take a configuration of a megabyte', async () => {
    current = agent();
    const { text } = answering('large');
    const config = { text: `${text}${'# 0123456789\n'.repeat(80_000)}`, version: 'large', servers: [] };
    await current.make(planOf(names, { config }));
    expect(await bench.answers()).to.deep.equal(['large', 'large']);
    await current.make(planOf(names));
  });

  it('show their segment nothing but the listeners', async () => {
    expect(await inside('cat /proc/net/tcp /proc/net/tcp6 | grep -c " 0A "')).to.equal('3\n');
    const refusal = await bench
      .inClient('curl', '-sS', `http://${VIP4}:${MASTER_PORT}/`)
      .catch((error: Error) => error.message);
    expect(refusal).to.match(/Failed to connect|refused/);
    // Not even by somebody who routes the loopback to them.
    await bench.inClient('ip', 'route', 'add', '127.0.0.2', 'via', VIP4, 'dev', 'eth0', 'table', 'local');
    const lost = await bench
      .inClient('curl', '-sS', '-m', '2', `http://127.0.0.2:${MASTER_PORT}/`)
      .catch((error: Error) => error.message);
    expect(lost).to.match(/timed out|Failed to connect/);
  });

  it('are made anew when they are to have other memory, and only then', async () => {
    const before = await machine();
    current = agent();
    await current.make(planOf(names));
    expect(await machine()).to.equal(before);
    const { flavor } = planOf(names);
    await current.make(planOf(names, { flavor: { ...flavor, memoryMib: 192 } }));
    expect(await machine()).not.to.equal(before);
    const words = (await readFile(`/proc/${(await machine()).trim()}/cmdline`, 'utf8')).split('\0');
    expect(words[words.indexOf('-m') + 1]).to.equal('192');
    expect(await bench.answers()).to.deep.equal(['one', 'one']);
  });

  it('say what is missing when there is no image', async () => {
    const error = await agent()
      .make(planOf(names, { flavor: { ...planOf(names).flavor, image: '/no/initramfs' } }))
      .catch((reason: Error) => reason);
    expect(error).to.have.property('code', 'no-image');
    expect((error as Error).message).to.equal('/no/initramfs is not there: run scripts/build-image vm');
  });
});
