/** Taps: the host's ends of virtual machines' cables. The kernel calls one connected while QEMU holds it. */
import type { SandboxNames } from '../names.ts';
import { run } from '../process.ts';

/** Throws AgentError('command-failed'). */
export async function createTap({ link }: SandboxNames, mtu: number): Promise<void> {
  const lines = [`tuntap add dev ${link} mode tap`, `link set dev ${link} mtu ${mtu} addrgenmode none up`];
  await run('ip', ['-batch', '-'], `${lines.join('\n')}\n`);
}

/** One that is not there is no error. Throws AgentError('command-failed'). */
export async function removeTap({ link }: SandboxNames): Promise<void> {
  if ((await taps()).some(({ name }) => name === link)) await run('ip', ['link', 'del', link]);
}

/** All taps of the agent's network. */
export async function taps(): Promise<readonly { readonly name: string; readonly isHeld: boolean }[]> {
  const lines = (await run('ip', ['-oneline', 'link', 'show', 'type', 'tun'])).split('\n');
  return lines.flatMap((line) => {
    const [, name, flags] = /^\d+: ([^:@\s]+)[^<]*<([^>]*)>/.exec(line) ?? [];
    return name === undefined ? [] : [{ name, isHeld: flags!.split(',').includes('LOWER_UP') }];
  });
}
