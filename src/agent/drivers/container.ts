/**
 * Sandboxes that are containers of podman. Each joins a namespace that the agent made, as for sandboxes that are namespaces,
 * and sees its folder by the same path; HAProxy is its first process. Its root file system is the image's, read-only.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AgentError } from '../errors.ts';
import type { ProxyConfig } from '../haproxy-config.ts';
import { type Naming, namespaceFile, type SandboxNames } from '../names.ts';
import type { SandboxPlan } from '../plan.ts';
import { maxOpenFiles, run } from '../process.ts';
import type { SwitchPorts } from '../switch-ports.ts';
import type { SandboxDriver } from './driver.ts';
import { createLocalDriver, emptyFolder, type SandboxLauncher } from './local-driver.ts';
import { refusal } from './local-runtime.ts';
import { CHECK } from './runtime.ts';

const HAPROXY = '/usr/sbin/haproxy';
const PARALLELISM = 4;
const COMMAND_TIMEOUT_MS = 60_000;
/** Whose value is the sandbox's link name, which says whose it is. */
const LABEL = 'hostlb.sandbox';
/** Master, worker, and the workers before it that still have connections. */
const MAX_PROCESSES = 256;
/** What HAProxy needs to become somebody else in an empty folder, and to bind low ports. */
const CAPABILITIES = ['SETUID', 'SETGID', 'SYS_CHROOT', 'NET_BIND_SERVICE', 'KILL'];
const IDLE: ProxyConfig = { text: 'global\n  description idle\n', version: 'idle', servers: [] };

export interface ContainerDriverInit {
  readonly naming: Naming;
  readonly ports: SwitchPorts;
  /** Image of those whose plan names none. */
  readonly image: string;
}

export function createContainerDriver({ naming, ports, image }: ContainerDriverInit): SandboxDriver {
  return createLocalDriver({
    placement: 'container',
    naming,
    ports,
    parallelism: PARALLELISM,
    createLauncher: (names) => createLauncher(names, { image, chroot: emptyFolder(naming.runDir) }),
    async leftovers() {
      const links = await podman([
        'ps',
        '-a',
        '--filter',
        `label=${LABEL}`,
        '--format',
        `{{index .Labels "${LABEL}"}}`,
      ]);
      return lines(links).flatMap((link) => naming.keyOf(link) ?? []);
    },
  });
}

interface LauncherInit {
  readonly image: string;
  readonly chroot: string;
}

function createLauncher(names: SandboxNames, { image: defaultImage, chroot }: LauncherInit): SandboxLauncher {
  const pidFile = join(names.dir, 'container.pid');
  /** There as long as podman may know a container of this sandbox. */
  const marker = join(names.dir, 'container');
  let flavor: SandboxPlan['flavor'] | undefined;

  const words = (): string[] => {
    const files = maxOpenFiles();
    return [
      ...['--label', `${LABEL}=${names.link}`, '--pull', 'never', '--read-only'],
      ...['--cap-drop', 'all', ...CAPABILITIES.flatMap((one) => ['--cap-add', one])],
      ...['--security-opt', 'no-new-privileges'],
      ...['--ulimit', `nofile=${files}:${files}`, '--ulimit', `nproc=${MAX_PROCESSES}:${MAX_PROCESSES}`],
      ...['--volume', `${names.dir}:${names.dir}`, '--volume', `${chroot}:${chroot}:ro`, '--entrypoint', HAPROXY],
    ];
  };
  const limits = (): string[] => [
    ...(flavor?.vcpus === undefined ? [] : ['--cpus', `${flavor.vcpus}`]),
    ...(flavor?.memoryMib === undefined ? [] : ['--memory', `${flavor.memoryMib}m`]),
  ];
  const image = (): string => flavor?.image ?? defaultImage;

  return {
    prepare(plan) {
      flavor = plan.flavor;
    },
    idleConfig: IDLE,
    async start(args, log) {
      await writeFile(marker, '');
      const where = ['--name', names.name, '--network', `ns:${namespaceFile(names.name)}`, '--pidfile', pidFile];
      const command = ['run', '-d', ...where, '--log-driver', 'passthrough', ...words(), ...limits(), image(), ...args];
      await started(command, log).catch((error: AgentError) => {
        throw explained(error, { names, image: image() });
      });
      return Number(await readFile(pidFile, 'utf8'));
    },
    async check(file) {
      const command = ['run', '--rm', '--network', 'none', ...words(), image(), ...CHECK, file];
      await podman(command).catch((error: AgentError) => {
        // Others are podman's own.
        const isRefusal = (error.cause as { code?: unknown } | undefined)?.code === 1;
        throw isRefusal ? refusal(error) : explained(error, { names, image: image() });
      });
    },
    async clean() {
      if (existsSync(names.dir) && !existsSync(marker)) return;
      const ids = lines(await podman(['ps', '-aq', '--no-trunc', '--filter', `label=${LABEL}=${names.link}`]));
      if (ids.length > 0) await podman(['rm', '-f', '-t', '0', ...ids]);
    },
  };
}

const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '');

const RUNC = '/usr/bin/runc';
/** Where both are, runc is the one that also works without systemd and with cgroups of version 1. */
const runtime = (): string[] => (existsSync(RUNC) ? ['--runtime', RUNC] : []);

function podman(args: readonly string[]): Promise<string> {
  return run('podman', [...runtime(), ...args], '', COMMAND_TIMEOUT_MS);
}

/** Starts a container whose output goes to `log`. Throws AgentError('command-failed') with what podman said there. */
async function started(args: readonly string[], log: string): Promise<void> {
  const output = openSync(log, 'a', 0o600);
  const child = spawn('podman', [...runtime(), ...args], {
    ...{ cwd: '/', timeout: COMMAND_TIMEOUT_MS },
    stdio: ['ignore', output, output],
  });
  closeSync(output);
  const [code] = await once(child, 'exit').catch((cause: Error) => {
    throw new AgentError('command-failed', `podman: ${cause.message}`, { cause });
  });
  if (code === 0) return;
  const said = await readFile(log, 'utf8').catch(() => '');
  throw new AgentError('command-failed', `podman run: ${said.trim().slice(-400)}`);
}

/** Says what to do about the two things that go wrong most. */
function explained(error: AgentError, { names, image }: { readonly names: SandboxNames; readonly image: string }) {
  if (/image not known|no such image/i.test(error.message)) {
    const message = `there is no container image ${image}: build one with scripts/build-image container, or name another`;
    return new AgentError('no-image', message, { cause: error });
  }
  if (/name .* is already in use/i.test(error.message)) {
    const message = `container ${names.name} exists and is not this agent's: remove it`;
    return new AgentError('name-taken', message, { cause: error });
  }
  return error;
}
