/** CPU and memory limits of processes of this machine: a cgroup `hostlb/NAME`, of version 2, or in version 1 one per controller. */
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FlavorData } from '../../model/types.ts';

export type Limits = Partial<Pick<FlavorData, 'vcpus' | 'memoryMib'>>;

export interface Cgroups {
  /**
   * Gives the group these limits; makes it where there is something to limit. Resolves to the files that a process
   * writes its pid to in order to join. Throws what the file system says.
   */
  limit(name: string, limits: Limits): Promise<readonly string[]>;
  /** Removes the group, whose processes have ended; one that is not there is no error. */
  remove(name: string): Promise<void>;
  /** Names of all groups. */
  names(): string[];
}

interface Setting {
  /** Of version 1, where each controller has a tree of its own. */
  readonly controller: 'cpu' | 'memory';
  readonly file: { readonly v1: string; readonly v2: string };
  readonly value: { readonly v1: string; readonly v2: string };
}

const PARENT = 'hostlb';
const PERIOD_US = 100_000;
/** The kernel refuses less. */
const MIN_QUOTA_US = 1_000;

function settings({ vcpus, memoryMib }: Limits): Setting[] {
  const quota = vcpus === undefined ? undefined : Math.max(MIN_QUOTA_US, Math.round(vcpus * PERIOD_US));
  const bytes = memoryMib === undefined ? undefined : `${memoryMib * 2 ** 20}`;
  return [
    {
      controller: 'cpu',
      file: { v1: 'cpu.cfs_quota_us', v2: 'cpu.max' },
      value: { v1: `${quota ?? -1}`, v2: `${quota ?? 'max'} ${PERIOD_US}` },
    },
    {
      controller: 'memory',
      file: { v1: 'memory.limit_in_bytes', v2: 'memory.max' },
      value: { v1: bytes ?? '-1', v2: bytes ?? 'max' },
    },
  ];
}

/** For tests, `root` may be another directory. */
export function createCgroups(root = '/sys/fs/cgroup'): Cgroups {
  const version = existsSync(join(root, 'cgroup.controllers')) ? 'v2' : 'v1';
  const parents = version === 'v2' ? [join(root, PARENT)] : ['cpu', 'memory'].map((tree) => join(root, tree, PARENT));
  const folder = (name: string, controller: string): string =>
    version === 'v2' ? join(root, PARENT, name) : join(root, controller, PARENT, name);

  return {
    async limit(name, limits) {
      const isLimited = limits.vcpus !== undefined || limits.memoryMib !== undefined;
      const all = settings(limits);
      const folders = [...new Set(all.map(({ controller }) => folder(name, controller)))];
      if (!isLimited && !folders.some(existsSync)) return [];
      for (const path of folders) await mkdir(path, { recursive: true });
      if (version === 'v2') for (const path of [root, join(root, PARENT)]) await enableControllers(path);
      for (const { controller, file, value } of all) {
        await writeFile(join(folder(name, controller), file[version]), value[version]);
      }
      return folders.map((path) => join(path, 'cgroup.procs'));
    },
    async remove(name) {
      for (const parent of parents) {
        if (existsSync(join(parent, name))) await rmdir(join(parent, name));
        // The last one takes the common folder along.
        const isEmpty =
          existsSync(parent) && !(await readdir(parent, { withFileTypes: true })).some((e) => e.isDirectory());
        if (isEmpty) await rmdir(parent).catch(() => {});
      }
    },
    names: () => [
      ...new Set(
        parents.flatMap((parent) =>
          existsSync(parent)
            ? readdirSync(parent, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? entry.name : []))
            : [],
        ),
      ),
    ],
  };
}

async function enableControllers(path: string): Promise<void> {
  const file = join(path, 'cgroup.subtree_control');
  const enabled = (await readFile(file, 'utf8')).split(/\s+/);
  const missing = ['cpu', 'memory'].filter((controller) => !enabled.includes(controller));
  if (missing.length > 0) await writeFile(file, missing.map((controller) => `+${controller}`).join(' '));
}
