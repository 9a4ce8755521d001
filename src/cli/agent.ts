import type { Command } from 'commander';
import type { AgentOptions } from '../agent/options.ts';
import { commaList, type DaemonFlags, daemon, daemonOptions } from './daemon.ts';
import { type Io, UsageError } from './io.ts';

/** What an agent is told of its machine, by whatever command it is started. */
export type MachineFlags = Pick<AgentOptions, 'ovs' | 'bridge' | 'runDir' | 'containerImage' | 'vmImages' | 'libvirt'>;

interface Flags extends DaemonFlags, MachineFlags {
  readonly host: string;
  readonly db: readonly string[];
}

/** What `scripts/build-image container` makes. */
export const DEFAULT_CONTAINER_IMAGE = 'localhost/hostlb-balancer:latest';
/** Where `scripts/build-image vm` puts what it makes. */
export const DEFAULT_VM_IMAGES = '/var/lib/hostlb/images';

/** `hostlb agent`: runs until it is interrupted. */
export function addAgentCommand(program: Command, io: Io): void {
  const command = daemon(
    program.command('agent').description('run the agent of a host: it runs balancers outside the switch'),
  )
    .requiredOption('--host <name>', 'name of this host, as registered')
    .requiredOption('--db <remote,…>', 'OVSDB remotes of the state database', commaList);
  machine(command).action(async (flags: Flags) => {
    const options = agentOptions(flags);
    const { runAgent } = await import('../agent/run.ts');
    await runAgent(options, io.signal);
  });
}

/** Adds the options that tell an agent of its machine. */
export function machine(command: Command): Command {
  return command
    .option('--ovs <remote>', "OVSDB of this host's Open vSwitch", 'unix:/var/run/openvswitch/db.sock')
    .option('--bridge <bridge>', 'the bridge that VMs plug into', 'br-int')
    .option('--run-dir <dir>', 'where balancers keep configuration and sockets', '/run/hostlb')
    .option('--container-image <reference>', 'image of containers whose flavor names none', DEFAULT_CONTAINER_IMAGE)
    .option('--vm-images <dir>', 'kernel and initramfs of VMs whose flavor names none', DEFAULT_VM_IMAGES)
    .option('--libvirt <uri>', "where libvirt is; 'own': one below the run directory", 'qemu:///system');
}

export function machineOptions(flags: MachineFlags): MachineFlags {
  const { ovs, bridge, runDir, containerImage, vmImages, libvirt } = flags;
  return { ovs, bridge, runDir, containerImage, vmImages, libvirt };
}

/** Throws UsageError. */
export function agentOptions(flags: Flags): AgentOptions {
  const { host, db } = flags;
  if (db.length === 0) throw new UsageError('--db names no remote');
  return { ...daemonOptions(flags), host, db, ...machineOptions(flags) };
}
