/** Whether virtual machines can use the processor's own help here. The device file alone does not tell. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';

const QEMU = 'qemu-system-x86_64';
/** A kernel that finds no disk gives up within half a second where KVM works. */
const PROBE_TIMEOUT_MS = 3_000;

/**
 * Resolves to `kvm` when a kernel gets through its start with it, else to `qemu`, emulation. There are machines whose
 * /dev/kvm can be opened, and makes virtual machines that never execute anything.
 */
export async function findAcceleration(kernel: string, device = '/dev/kvm'): Promise<'kvm' | 'qemu'> {
  if (!existsSync(device)) return 'qemu';
  const machine = [
    '-machine',
    'q35,accel=kvm',
    '-cpu',
    'host',
    '-m',
    '128',
    '-nodefaults',
    '-display',
    'none',
    '-no-reboot',
  ];
  const child = spawn(QEMU, [...machine, '-kernel', kernel, '-append', 'panic=-1'], {
    stdio: 'ignore',
    timeout: PROBE_TIMEOUT_MS,
    killSignal: 'SIGKILL',
  });
  return new Promise((resolve) => {
    child.once('error', () => resolve('qemu'));
    child.once('exit', (code) => resolve(code === 0 ? 'kvm' : 'qemu'));
  });
}
