/** A libvirtd of one's own: real, with machines that have no system in them. */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { Libvirt } from '../../src/agent/drivers/vm-libvirt.ts';
import { createOwnLibvirt } from '../../src/agent/drivers/vm-libvirtd.ts';
import { ended, isAlive } from '../../src/agent/process.ts';
import { requireSystem } from '../support/requirements.ts';
import { until } from '../support/until.ts';
import { VM_PROGRAMS } from '../support/vm-images.ts';

describe("libvirtd of an agent's own", () => {
  let folder: string;
  let dir: string;
  let libvirt: Libvirt;
  const name = `hostlb-test-${process.pid}`;

  const pid = async (file: string): Promise<number> => Number(await readFile(join(dir, 'run', file), 'utf8'));
  const boot = async (): Promise<void> => {
    const os = "<os><type arch='x86_64' machine='q35'>hvm</type></os>";
    const file = join(folder, 'domain.xml');
    await writeFile(file, `<domain type='qemu'><name>${name}</name><memory unit='MiB'>16</memory>${os}</domain>`);
    await libvirt.create(file);
  };

  before(async function () {
    requireSystem(this, VM_PROGRAMS);
    folder = await mkdtemp(join(tmpdir(), 'hlb-'));
    dir = join(folder, 'libvirt');
    libvirt = createOwnLibvirt(dir);
  });
  after(async () => {
    if (folder === undefined) return;
    await libvirt.destroy(name);
    await until(() => !existsSync(dir), { what: () => `an end of libvirtd in ${dir}` });
    await rm(folder, { recursive: true, force: true });
  });

  it('is started by the first question, once for many', async () => {
    expect(await Promise.all([libvirt.names(), libvirt.names(), createOwnLibvirt(dir).names()])).to.deep.equal([
      [],
      [],
      [],
    ]);
    expect(isAlive(await pid('libvirtd.pid'))).to.equal(true);
  });

  it('knows the machines that it was told to start', async () => {
    await boot();
    expect(await libvirt.names()).to.deep.equal([name]);
    expect(await libvirt.describe(name)).to.contain(`<name>${name}</name>`);
    expect(await libvirt.describe(`${name}-not`)).to.equal(undefined);
    await libvirt.destroy(`${name}-not`);
  });

  it('finds its machines again after it was killed', async () => {
    const machine = await pid(`qemu/${name}.pid`);
    const daemon = await pid('libvirtd.pid');
    process.kill(daemon, 'SIGKILL');
    expect(await ended([daemon], 5_000)).to.equal(true);
    expect(await libvirt.names()).to.deep.equal([name]);
    expect(await pid('libvirtd.pid')).not.to.equal(daemon);
    expect(isAlive(machine)).to.equal(true);
  });

  it('forgets a machine that was killed', async () => {
    process.kill(await pid(`qemu/${name}.pid`), 'SIGKILL');
    await until(async () => (await libvirt.names()).length === 0, { what: () => 'no machine' });
    await libvirt.destroy(name);
  });

  it('says what libvirt says of a machine that cannot be', async () => {
    const file = join(folder, 'bad.xml');
    await writeFile(file, `<domain type='qemu'><name>${name}</name></domain>`);
    const error = await libvirt.create(file).catch((reason: Error) => reason);
    expect(error).to.have.property('code', 'command-failed');
    expect((error as Error).message).to.match(/^libvirt at qemu\+unix:.*, create: Failed to create domain/);
  });

  it('ends by itself without machines, and leaves nothing', async () => {
    const daemon = await pid('libvirtd.pid');
    await until(() => !existsSync(dir), { what: () => `an end of libvirtd in ${dir}` });
    expect(await ended([daemon], 5_000)).to.equal(true);
    // And is there again for the next question.
    expect(await libvirt.names()).to.deep.equal([]);
  });
});
