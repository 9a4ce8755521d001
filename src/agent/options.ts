/** What `hostlb agent` can be told; the command line fills it in, with these meanings. */
import type { LevelWithSilent } from 'pino';

export interface TlsFiles {
  readonly privateKey: string;
  readonly certificate: string;
  readonly caCert: string;
}

export interface AgentOptions {
  /** Name of the host that it works for, as registered. */
  readonly host: string;
  /** OVSDB remotes of the state database, all members of one cluster; never empty. */
  readonly db: readonly string[];
  /** OVSDB remote of the host's own Open vSwitch. */
  readonly ovs: string;
  readonly bridge: string;
  /** Where sandboxes keep their configuration, sockets and pid files. */
  readonly runDir: string;
  /** Image of containers whose flavor names none. */
  readonly containerImage: string;
  /** Folder with kernel and initramfs of virtual machines whose flavor names none. */
  readonly vmImages: string;
  /** Connection URI of libvirt; `own`: a libvirtd in the agent's network, with its files below `runDir`. */
  readonly libvirt: string;
  /** For `ssl:` remotes. */
  readonly tls: TlsFiles | undefined;
  readonly logLevel: LevelWithSilent;
  /** Undefined = stderr. */
  readonly logFile: string | undefined;
  readonly pidFile: string | undefined;
}
