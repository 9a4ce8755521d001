import type { Command } from 'commander';
import type { AgentOptions } from '../agent/options.ts';
import { commaList, type DaemonFlags, daemon, daemonOptions } from './daemon.ts';
import { type Io, UsageError } from './io.ts';

interface Flags extends DaemonFlags {
  readonly host: string;
  readonly db: readonly string[];
  readonly ovs: string;
  readonly bridge: string;
  readonly runDir: string;
  readonly containerImage: string;
}

/** What `scripts/build-image container` makes. */
export const DEFAULT_CONTAINER_IMAGE = 'localhost/hostlb-balancer:latest';

/** `hostlb agent`: runs until it is interrupted. */
export function addAgentCommand(program: Command, io: Io): void {
  daemon(program.command('agent').description('run the agent of a host: it runs balancers outside the switch'))
    .requiredOption('--host <name>', 'name of this host, as registered')
    .requiredOption('--db <remote,…>', 'OVSDB remotes of the state database', commaList)
    .option('--ovs <remote>', "OVSDB of this host's Open vSwitch", 'unix:/var/run/openvswitch/db.sock')
    .option('--bridge <bridge>', 'the bridge that VMs plug into', 'br-int')
    .option('--run-dir <dir>', 'where balancers keep configuration and sockets', '/run/hostlb')
    .option('--container-image <reference>', 'image of containers whose flavor names none', DEFAULT_CONTAINER_IMAGE)
    .action(async (flags: Flags) => {
      const options = agentOptions(flags);
      const { runAgent } = await import('../agent/run.ts');
      await runAgent(options, io.signal);
    });
}

/** Throws UsageError. */
export function agentOptions(flags: Flags): AgentOptions {
  const { host, db, ovs, bridge, runDir, containerImage } = flags;
  if (db.length === 0) throw new UsageError('--db names no remote');
  return { ...daemonOptions(flags), host, db, ovs, bridge, runDir, containerImage };
}
