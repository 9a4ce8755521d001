/** The driver of virtual machines, for the tests that all drivers pass. */
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createVmDriver } from '../../src/agent/drivers/vm.ts';
import { createOwnLibvirt } from '../../src/agent/drivers/vm-libvirtd.ts';
import type { SandboxNames } from '../../src/agent/names.ts';
import { ended, signalProcess } from '../../src/agent/process.ts';
import { missingForSystem } from '../support/requirements.ts';
import { VM_PROGRAMS, vmImages } from '../support/vm-images.ts';
import type { Subject } from './compliance/drivers.ts';

let images: string;

const libvirtDir = ({ dir }: SandboxNames): string => join(dir, '..', 'libvirt');
const libvirtOf = (names: SandboxNames) => createOwnLibvirt(libvirtDir(names));

/** The process that is the machine. */
async function qemuPid(names: SandboxNames): Promise<number> {
  return Number(await readFile(join(libvirtDir(names), 'run/qemu', `${names.name}.pid`), 'utf8'));
}

export const virtualMachine: Subject = {
  placement: 'vm',
  // A machine that is stopped is given up after a while only, and another one boots.
  timeoutMs: 180_000,
  async missing() {
    const missing = missingForSystem([...VM_PROGRAMS, 'curl']);
    if (missing.length === 0) images = await vmImages();
    return missing;
  },
  create: (bench) =>
    createVmDriver({
      naming: bench.naming('vm'),
      ports: bench.ports,
      libvirt: createOwnLibvirt(join(bench.runDir, 'libvirt')),
      log: { info: () => {} },
      images,
    }),
  async kill(names) {
    const pid = await qemuPid(names);
    signalProcess(pid, 'SIGKILL');
    await ended([pid], 5_000);
  },
  async freeze(names) {
    signalProcess(await qemuPid(names), 'SIGSTOP');
  },
  async limits(names) {
    const xml = (await libvirtOf(names).describe(names.name))!;
    const number = (pattern: RegExp): number => Number(pattern.exec(xml)![1]);
    return { vcpus: number(/<vcpu[^>]*>(\d+)</), memoryMib: number(/<memory unit='KiB'>(\d+)</) / 1024 };
  },
  async leftovers(naming) {
    const dir = join(naming.runDir, 'libvirt');
    const machines = existsSync(dir) ? await createOwnLibvirt(dir).names() : [];
    return machines.filter((name) => name.endsWith(`-${naming.suffix}`));
  },
  foreign: [
    {
      what: 'a virtual machine',
      async make(names) {
        const file = join(names.dir, '..', 'foreign.xml');
        const os = "<os><type arch='x86_64' machine='q35'>hvm</type></os>";
        await writeFile(
          file,
          `<domain type='qemu'><name>${names.name}</name><memory unit='MiB'>32</memory>${os}</domain>`,
        );
        await libvirtOf(names).create(file);
      },
      exists: async (names) => (await libvirtOf(names).names()).includes(names.name),
      remove: (names) => libvirtOf(names).destroy(names.name),
    },
  ],
};
