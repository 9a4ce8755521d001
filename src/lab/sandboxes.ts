/** What agents' sandboxes have beside namespaces, processes and files: containers that podman knows, and cgroups. */
import { existsSync, readdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { LabPaths } from './names.ts';
import { run } from './process.ts';
import { agentDir } from './services.ts';

/** As the agent marks its containers. */
const LABEL = 'hostlb.sandbox';
/** Where the agent makes its cgroups, of version 1 or 2. */
const CGROUPS = ['/sys/fs/cgroup/hostlb', '/sys/fs/cgroup/cpu/hostlb', '/sys/fs/cgroup/memory/hostlb'];
const containerList = z.array(z.object({ Id: z.string(), Labels: z.record(z.string(), z.string()) }));

/** Names of the sandboxes of a lab's agents, by their folders: each has one as long as anything of it is there. */
export function sandboxNames(paths: LabPaths): ReadonlySet<string> {
  const folders = existsSync(paths.dir) ? readdirSync(paths.dir) : [];
  const runDirs = folders.map((name) => agentDir(paths, name)).filter((dir) => existsSync(dir));
  return new Set(runDirs.flatMap((dir) => readdirSync(dir)).filter((name) => name.startsWith('hlb')));
}

/** Ends and removes the containers of sandboxes. */
export async function removeContainers(names: ReadonlySet<string>): Promise<void> {
  if (names.size === 0) return;
  const ids = await containers(names);
  if (ids.length === 0) return;
  const remove = (): Promise<string> => run('podman', ['rm', '--force', '--time', '0', ...ids]);
  // Of one that was killed together with its monitor, podman learns at the first try.
  await remove().catch(remove);
}

/** Removes the cgroups of sandboxes whose processes have ended. */
export function removeGroups(names: ReadonlySet<string>): void {
  for (const group of CGROUPS) {
    if (!existsSync(group)) continue;
    for (const name of readdirSync(group)) if (names.has(name)) rmdirSync(join(group, name));
    const isEmpty = !readdirSync(group, { withFileTypes: true }).some((entry) => entry.isDirectory());
    if (isEmpty) rmdirSync(group);
  }
}

async function containers(names: ReadonlySet<string>): Promise<string[]> {
  const list = ['ps', '--all', '--no-trunc', '--filter', `label=${LABEL}`, '--format', 'json'];
  // Without podman there is no container of ours.
  const text = await run('podman', list).catch(() => '[]');
  const found = containerList.parse(JSON.parse(text));
  return found.filter(({ Labels }) => names.has(Labels[LABEL] ?? '')).map(({ Id }) => Id);
}
