/**
 * Sandboxes in namespaces of this machine: what namespaces and containers have in common, which is all but how a process
 * in them is started. They have a namespace with a cable (../network.ts), a port in Open vSwitch, and a folder.
 */
import { existsSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Haproxy } from '../haproxy.ts';
import type { ProxyConfig } from '../haproxy-config.ts';
import { type Naming, namespaceFile, type SandboxNames } from '../names.ts';
import { configureNetwork, createNetwork, hasCable, inspectNetwork, keysOfCables, removeNetwork } from '../network.ts';
import type { SandboxPlan } from '../plan.ts';
import { maxOpenFiles } from '../process.ts';
import type { SwitchPorts } from '../switch-ports.ts';
import type { SandboxDriver, SandboxParts, SandboxPlacement } from './driver.ts';
import { type Launcher, localRuntime } from './local-runtime.ts';

export interface SandboxLauncher extends Launcher {
  /** Takes limits and image for the next start. */
  prepare(plan: SandboxPlan): void;
  /** What HAProxy runs with where the plan has no configuration; undefined: there it does not run. */
  readonly idleConfig: ProxyConfig | undefined;
}

export interface LocalDriverInit {
  readonly placement: SandboxPlacement;
  readonly naming: Naming;
  readonly ports: SwitchPorts;
  readonly parallelism: number;
  readonly createLauncher: (names: SandboxNames) => SandboxLauncher;
  /** Keys of sandboxes of which only something is left that is no folder and no cable. */
  readonly leftovers: () => Promise<Iterable<number>>;
}

export function createLocalDriver(init: LocalDriverInit): SandboxDriver {
  const { placement, naming, ports, parallelism, createLauncher } = init;
  const chroot = emptyFolder(naming.runDir);
  return {
    placement,
    naming,
    parallelism,
    async prepare() {
      await mkdir(chroot, { recursive: true, mode: 0o755 });
    },
    surroundings: ({ dir }) => ({
      statsSocket: join(dir, 'stats.sock'),
      stateFile: join(dir, 'servers.state'),
      chroot,
      maxFiles: maxOpenFiles(),
    }),
    sandbox: (names, lost) => createParts({ names, ports, lost, launcher: createLauncher(names) }),
    async existing() {
      const folders = existsSync(naming.runDir) ? await readdir(naming.runDir) : [];
      const keys = folders.flatMap((folder) => naming.keyOf(folder) ?? []);
      return new Set([...keys, ...(await keysOfCables(naming)), ...(await init.leftovers())]);
    },
    intact: () => keysOfCables(naming),
  };
}

/** The folder that HAProxy is locked up in. */
export const emptyFolder = (runDir: string): string => join(runDir, 'empty');

interface PartsInit {
  readonly names: SandboxNames;
  readonly ports: SwitchPorts;
  readonly launcher: SandboxLauncher;
  readonly lost: (reason: string) => void;
}

function createParts({ names, ports, launcher, lost }: PartsInit): SandboxParts {
  const haproxy = new Haproxy({ createRuntime: localRuntime(names, launcher), lost });
  /** What the network was last set to; undefined: not looked at yet. */
  let configured: string | undefined;

  /** A namespace of our name may be somebody else's: then there is neither a folder nor a cable of ours. */
  const isOurs = async (): Promise<boolean> => existsSync(names.dir) || (await hasCable(names));

  return {
    async create(plan, { isDoubted }) {
      const wanted = JSON.stringify([plan.mac, plan.addresses, plan.routes, plan.neighbours, plan.reservedPorts]);
      const isNamed = existsSync(namespaceFile(names.name));
      if (isNamed && configured === wanted && !isDoubted) return;
      const isKnown = existsSync(names.dir);
      configured = undefined;
      // A folder says that something may be left of an earlier life; without one, all is to be made.
      const found = isNamed || isKnown ? await inspectNetwork(plan, isKnown) : 'absent';
      if (found === 'broken') {
        await haproxy.stop({ isKind: false });
        await removeNetwork(names);
      }
      if (found !== 'sound') {
        // The switch would go on with the old cable.
        if (ports.isPlugged(plan)) await ports.unplug(names.link);
        await mkdir(names.dir, { recursive: true, mode: 0o700 });
        await createNetwork(plan, ports.mtu);
      }
      await configureNetwork(plan);
      configured = wanted;
    },
    plug: (plan) => ports.plug(plan),
    async configure(plan) {
      launcher.prepare(plan);
      const config = plan.config ?? launcher.idleConfig;
      if (config !== undefined) await haproxy.ensure(config);
    },
    observe: () => haproxy.observe(),
    isSound: (plan) => existsSync(namespaceFile(names.name)) && ports.isPlugged(plan),
    async stop() {
      if (await isOurs()) await haproxy.stop({ isKind: true });
    },
    unplug: () => ports.unplug(names.link),
    async destroy() {
      configured = undefined;
      if (await isOurs()) await removeNetwork(names);
      await launcher.clean();
      await rm(names.dir, { recursive: true, force: true });
    },
    release: () => haproxy.release(),
  };
}
