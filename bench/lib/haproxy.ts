/** HAProxy in the sandboxes of a lab, and one that nobody manages, to compare with. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { Lab } from '../../src/lab/index.ts';
import { commandLine, pidsUsing } from '../../src/lab/process.ts';
import { defer } from './clean-up.ts';
import { execIn } from './lab.ts';

export interface Proxy {
  /** The folder of its files. */
  readonly dir: string;
  readonly config: string;
  /** Master and worker. */
  readonly pids: readonly number[];
}

const configFile = (pid: number): string | undefined =>
  commandLine(pid).find((word) => basename(word) === 'haproxy.cfg');

/** All HAProxys that have their files below a folder; those in virtual machines are not seen. */
export function proxiesBelow(folder: string): Proxy[] {
  const running = pidsUsing(folder).filter((pid) => basename(commandLine(pid)[0] ?? '') === 'haproxy');
  return [...new Set(running.flatMap((pid) => configFile(pid) ?? []))].map((file) => ({
    dir: dirname(file),
    config: readFileSync(file, 'utf8'),
    pids: running.filter((pid) => configFile(pid) === file),
  }));
}

/** The lab's HAProxy that has this VIP. */
export function proxyOf(lab: Lab, vip: string): Proxy {
  const found = proxiesBelow(lab.paths.dir).find(({ config }) => config.includes(`bind ${vip}:80\n`));
  if (found === undefined) throw new Error(`no HAProxy of lab ${lab.name} has the VIP ${vip}`);
  return found;
}

/** An HAProxy in a VM that is configured as the one of a VIP is. */
export interface LoneProxy {
  /** Starts it, and waits for nothing. Once at a time. */
  start(): void;
  pids(): readonly number[];
}

/** Prepares one; `address` is the VM's. */
export async function loneProxy(
  lab: Lab,
  { vm, address, vip }: { readonly vm: string; readonly address: string; readonly vip: string },
): Promise<LoneProxy> {
  const dir = `/tmp/${lab.name}-haproxy`;
  defer(() => rm(dir, { recursive: true, force: true }));
  await mkdir(dir, { recursive: true });
  const like = proxyOf(lab, vip);
  const config = like.config.replaceAll(`bind ${vip}:`, `bind ${address}:`).replaceAll(`${like.dir}/`, `${dir}/`);
  await writeFile(`${dir}/haproxy.cfg`, config);
  const words = ['haproxy', '-W', '-S', `${dir}/master.sock,mode,600`, '-f', `${dir}/haproxy.cfg`];
  return {
    start() {
      const { file, args } = lab.command(vm, words);
      spawn(file, [...args], { stdio: 'ignore' });
    },
    pids: () => proxiesBelow(dir)[0]?.pids ?? [],
  };
}

/** Starts an HAProxy in a VM that balances TCP on port 80 over these members, as one balancer for everybody does. */
export async function centralProxy(
  lab: Lab,
  { vm, address, members }: { readonly vm: string; readonly address: string; readonly members: readonly string[] },
): Promise<void> {
  const file = `/tmp/${lab.name}-central.cfg`;
  defer(() => rm(file, { force: true }));
  const lines = [
    ...['global', ' maxconn 4096', 'defaults', ' mode tcp'],
    ...[' timeout connect 5s', ' timeout client 60s', ' timeout server 60s'],
    ...['listen web', ` bind ${address}:80`, ' balance roundrobin'],
    ...members.map((member, index) => ` server m${index + 1} ${member}:80`),
  ];
  await writeFile(file, `${lines.join('\n')}\n`);
  await execIn(lab, vm, ['haproxy', '-D', '-f', file]);
}
