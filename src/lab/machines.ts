/** Virtual machines that agents of the lab's hosts run, as far as they have a network namespace on this machine. */
import { execFileSync } from 'node:child_process';
import { type LabContext, present, switchOf } from './context.ts';
import { hostNamespace } from './names.ts';

/** The namespace of the machine of that name: through its port on whatever host it is. Undefined when there is none. */
export function machineNamespace(context: LabContext, name: string): string | undefined {
  if (!/^[\w.-]+$/.test(name)) return undefined;
  for (const { name: host } of present(context).hosts) {
    const { remote, pids } = switchOf(context, host);
    if (pids().ovsdbServer === undefined) continue;
    const search = ['--bare', '--columns=name', 'find', 'Interface', `external_ids:hostlb-vm=${JSON.stringify(name)}`];
    const port = said('ovs-vsctl', [`--db=${remote}`, '--timeout=5', ...search]);
    if (port === '') continue;
    const link = said('ip', ['-n', hostNamespace(context.lab, host), '-o', 'link', 'show', port]);
    const namespace = / link-netns (\S+)/.exec(link)?.[1];
    if (namespace !== undefined) return namespace;
  }
  return undefined;
}

function said(file: string, args: readonly string[]): string {
  try {
    return execFileSync(file, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return '';
  }
}
