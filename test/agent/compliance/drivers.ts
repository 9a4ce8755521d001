/** The drivers under test, with what a test must know of each: how to harm it, and what it leaves. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createCgroups } from '../../../src/agent/drivers/cgroup.ts';
import { createContainerDriver } from '../../../src/agent/drivers/container.ts';
import type { SandboxDriver } from '../../../src/agent/drivers/driver.ts';
import { createNamespaceDriver } from '../../../src/agent/drivers/namespace.ts';
import type { Naming, SandboxNames } from '../../../src/agent/names.ts';
import { ended, pidsInside, signalProcess } from '../../../src/agent/process.ts';
import { DEFAULT_CONTAINER_IMAGE } from '../../../src/cli/agent.ts';
import { CONTAINER_PROGRAMS, containerImage } from '../../support/container-image.ts';
import { missingForSystem } from '../../support/requirements.ts';
import { virtualMachine } from '../vm-subject.ts';
import { type Bench, sh } from './bench.ts';

/** Something that has the name of ours and is not ours. */
export interface Foreign {
  readonly what: string;
  make(names: SandboxNames): Promise<unknown>;
  exists(names: SandboxNames): Promise<boolean>;
  remove(names: SandboxNames): Promise<unknown>;
}

export interface Subject {
  readonly placement: SandboxDriver['placement'];
  /** How long the slowest step may take. */
  readonly timeoutMs: number;
  /** What keeps it from running here; empty = nothing. */
  missing(): Promise<readonly string[]>;
  /** A driver as of an agent that has just started. */
  create(bench: Bench): SandboxDriver;
  /** Ends the sandbox's HAProxy, or all of the sandbox that runs, at once. */
  kill(names: SandboxNames): Promise<void>;
  /** Stops HAProxy, or all of the sandbox that runs, without ending it. */
  freeze(names: SandboxNames): Promise<void>;
  /** The limits that hold for HAProxy. */
  limits(names: SandboxNames): Promise<{ readonly vcpus: number; readonly memoryMib: number }>;
  /** What is left of its sandboxes that Bench.leftovers does not see. */
  leftovers(naming: Naming): Promise<string[]>;
  readonly foreign: readonly Foreign[];
}

const signalAll = async (names: SandboxNames, signal: NodeJS.Signals): Promise<number[]> => {
  const pids = pidsInside(names.name);
  if (pids.length === 0) throw new Error(`nothing runs in ${names.name}`);
  for (const pid of pids) signalProcess(pid, signal);
  return pids;
};

/** From the cgroups, of version 1 or 2, that HAProxy's processes are in. */
async function cgroupLimits({ name }: SandboxNames): Promise<{ vcpus: number; memoryMib: number }> {
  const groups = (await readFile(`/proc/${pidsInside(name)[0]}/cgroup`, 'utf8'))
    .split('\n')
    .map((line) => line.split(':'));
  const folder = (controller: string): string | undefined => {
    const group = groups.find(([, controllers]) => controllers!.split(',').includes(controller));
    return group && join('/sys/fs/cgroup', controller, group[2]!);
  };
  const [cpu, memory] = [folder('cpu'), folder('memory')];
  const read = async (...path: string[]) => (await readFile(join(...path), 'utf8')).trim();
  if (cpu === undefined || memory === undefined) {
    const unified = join('/sys/fs/cgroup', groups.find(([id]) => id === '0')![2]!);
    const [quota, period] = (await read(unified, 'cpu.max')).split(' ').map(Number);
    return { vcpus: quota! / period!, memoryMib: Number(await read(unified, 'memory.max')) / 2 ** 20 };
  }
  const [quota, period] = [await read(cpu, 'cpu.cfs_quota_us'), await read(cpu, 'cpu.cfs_period_us')].map(Number);
  return {
    vcpus: quota! / period!,
    memoryMib: Number(await read(memory, 'memory.limit_in_bytes')) / 2 ** 20,
  };
}

const FOREIGN_NAMESPACE: Foreign = {
  what: 'a namespace',
  make: ({ name }) => sh('ip', 'netns', 'add', name),
  exists: async ({ name }) => (await sh('ip', 'netns', 'list')).split(/\s/).includes(name),
  remove: ({ name }) => sh('ip', 'netns', 'del', name),
};

/** What namespaces and containers have in common: processes of this machine. */
const LOCAL = {
  async kill(names) {
    await ended(await signalAll(names, 'SIGKILL'), 5_000);
  },
  async freeze(names) {
    await signalAll(names, 'SIGSTOP');
  },
  limits: cgroupLimits,
} satisfies Partial<Subject>;

const namespace: Subject = {
  ...LOCAL,
  placement: 'namespace',
  timeoutMs: 30_000,
  missing: async () => missingForSystem(['haproxy', 'curl']),
  create: (bench) =>
    createNamespaceDriver({ naming: bench.naming('namespace'), ports: bench.ports, log: { warn: () => {} } }),
  leftovers: async (naming) =>
    createCgroups()
      .names()
      .filter((name) => naming.keyOf(name) !== undefined),
  foreign: [FOREIGN_NAMESPACE],
};

const container: Subject = {
  ...LOCAL,
  placement: 'container',
  timeoutMs: 60_000,
  async missing() {
    const missing = missingForSystem([...CONTAINER_PROGRAMS, 'curl']);
    if (missing.length === 0) await containerImage();
    return missing;
  },
  create: (bench) =>
    createContainerDriver({ naming: bench.naming('container'), ports: bench.ports, image: DEFAULT_CONTAINER_IMAGE }),
  leftovers: async ({ suffix }) =>
    (await sh('podman', 'ps', '-a', '--format', '{{.Names}} {{.Labels}}'))
      .split('\n')
      .filter((line) => line.includes(`-${suffix}`)),
  foreign: [
    FOREIGN_NAMESPACE,
    {
      what: 'a container',
      make: ({ name }) => sh('podman', 'create', '--name', name, DEFAULT_CONTAINER_IMAGE, '-v'),
      exists: async ({ name }) => (await sh('podman', 'ps', '-a', '--format', '{{.Names}}')).split('\n').includes(name),
      remove: ({ name }) => sh('podman', 'rm', '-f', name),
    },
  ],
};

export const SUBJECTS: readonly Subject[] = [namespace, container, virtualMachine];
