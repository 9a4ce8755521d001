/**
 * A libvirtd of the agent's own, for agents that share a machine (as the hosts of a lab do): it lives in the agent's
 * network, with its files below one folder, and ends by itself some seconds after its last machine.
 *
 *   agent ─ unshare ─ sh ─ libvirtd ─ QEMU …      DIR/run, lib, log, etc are /run/libvirt, /var/lib/libvirt, … to them
 */
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { AgentError } from '../errors.ts';
import { startDetached } from '../process.ts';
import { createLibvirt, type Libvirt } from './vm-libvirt.ts';

const START_TIMEOUT_MS = 15_000;
const RETRY_MS = 20;

/**
 * Keeps the folder while libvirtd runs, and after it was killed: the next one finds its machines in it. Only one at a time
 * does so for a folder. What QEMU can do is found out once for the machine, so that cache stays where it is. Machines run
 * as root, which `seclabel none` means anyway: as another user libvirtd finds that its finding has passed away wherever
 * only root may open /dev/kvm, and looks again, for seconds, at every step.
 */
const KEEPER = `
dir=$1
exec 9<"\${dir%/*}"
flock -n 9 || exit 0
mkdir -p "$dir/run" "$dir/lib" "$dir/log" "$dir/etc" /run/libvirt
printf 'auth_unix_rw = "none"\\nunix_sock_rw_perms = "0700"\\n' >"$dir/etc/libvirtd.conf"
printf 'user = "root"\\ngroup = "root"\\nsecurity_driver = "none"\\nnamespaces = []\\ncgroup_controllers = []\\nstdio_handler = "file"\\n' >"$dir/etc/qemu.conf"
mount --bind "$dir/run" /run/libvirt && mount --bind "$dir/lib" /var/lib/libvirt &&
  mount --bind "$dir/log" /var/log/libvirt && mount --bind "$dir/etc" /etc/libvirt || exit 1
libvirtd --timeout 5 --pid-file "$dir/run/libvirtd.pid" 9<&- && cd / && rm -rf "$dir"
`;

/** `dir` is the folder of its files; it is there only while it runs, or has been killed. Its parent must exist. */
export function createOwnLibvirt(dir: string): Libvirt {
  const socket = join(dir, 'run', 'libvirt-sock');
  let starting: Promise<void> | undefined;
  return createLibvirt({
    uri: `qemu+unix:///system?socket=${socket}`,
    async ready() {
      if (await answers(socket)) return false;
      starting ??= start(dir, socket).finally(() => {
        starting = undefined;
      });
      await starting;
      return true;
    },
  });
}

async function start(dir: string, socket: string): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  const begin = () =>
    startDetached('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', KEEPER, 'sh', dir], {
      log: '/dev/null',
    });
  let keeper = begin();
  while (!(await answers(socket))) {
    if (performance.now() > deadline) {
      throw new AgentError('command-failed', `libvirtd does not start with its files in ${dir}; see ${dir}/log`);
    }
    await delay(RETRY_MS);
    // One that is on its way out was in the way.
    if (keeper.exitCode !== null || keeper.signalCode !== null) keeper = begin();
  }
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
