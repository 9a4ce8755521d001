/**
 * Sandboxes that are virtual machines of libvirt, with HAProxy under a minimal init (scripts/image). The agent makes the
 * tap and plugs it into the switch itself, as for other sandboxes, and speaks to the machine through a channel that is no
 * network: the tenant's segment has nothing but the balancer in it.
 *
 *   agent ── DIR/channel.sock ── QEMU ── guest: init, HAProxy
 *   switch ── tap hlbKEY-… ──────┘       DIR/console.log: what its kernel says
 */
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { AgentError } from '../errors.ts';
import { Haproxy } from '../haproxy.ts';
import type { Naming, SandboxNames } from '../names.ts';
import { networkScript } from '../network.ts';
import type { SandboxPlan } from '../plan.ts';
import type { SwitchPorts } from '../switch-ports.ts';
import type { SandboxDriver, SandboxParts } from './driver.ts';
import { findAcceleration } from './vm-acceleration.ts';
import { VmChannel } from './vm-channel.ts';
import { type DomainSpec, domainVersion, domainXml, readDomain } from './vm-domain.ts';
import { GUEST } from './vm-guest.ts';
import type { Libvirt } from './vm-libvirt.ts';
import { vmRuntime } from './vm-runtime.ts';
import { createTap, removeTap, taps } from './vm-tap.ts';

const DEFAULTS = { vcpus: 1, memoryMib: 128 } as const;
/** An emulated machine needs a whole processor while it boots. */
const PARALLELISM = 2;
const BOOT_TIMEOUT_MS = 60_000;
/** How long a machine that has booted may take to answer. */
const ADOPT_TIMEOUT_MS = 15_000;
const SETUP_TIMEOUT_MS = 10_000;

export interface VmDriverInit {
  readonly naming: Naming;
  readonly ports: SwitchPorts;
  readonly libvirt: Libvirt;
  readonly log: Pick<Logger, 'info'>;
  /** Folder of the kernel and initramfs of flavors that name none. */
  readonly images: string;
}

export function createVmDriver({ naming, ports, libvirt, log, images }: VmDriverInit): SandboxDriver {
  let acceleration: Promise<'kvm' | 'qemu'> | undefined;
  const accelerate = (kernel: string): Promise<'kvm' | 'qemu'> => {
    acceleration ??= findAcceleration(kernel).then((found) => {
      log.info({ acceleration: found }, 'virtual machines');
      return found;
    });
    return acceleration;
  };
  return {
    placement: 'vm',
    naming,
    parallelism: PARALLELISM,
    prepare: async () => {},
    surroundings: () => GUEST,
    sandbox: (names, lost) => createParts({ names, ports, libvirt, lost, images, accelerate }),
    async existing() {
      const folders = existsSync(naming.runDir) ? await readdir(naming.runDir) : [];
      const links = (await taps()).map(({ name }) => name);
      return new Set([...folders, ...links].flatMap((name) => naming.keyOf(name) ?? []));
    },
    async intact() {
      return new Set((await taps()).flatMap(({ name, isHeld }) => (isHeld ? (naming.keyOf(name) ?? []) : [])));
    },
  };
}

interface PartsInit extends Pick<VmDriverInit, 'ports' | 'libvirt' | 'images'> {
  readonly names: SandboxNames;
  readonly lost: (reason: string) => void;
  readonly accelerate: (kernel: string) => Promise<'kvm' | 'qemu'>;
}

function createParts({ names, ports, libvirt, lost, images, accelerate }: PartsInit): SandboxParts {
  const path = join(names.dir, 'channel.sock');
  const console = join(names.dir, 'console.log');
  const description = join(names.dir, 'domain.xml');
  let channel: VmChannel | undefined;
  let heard = (_words: readonly string[]): void => {};
  /** What the machine was last made and set to; undefined: not looked at yet. */
  let configured: string | undefined;
  const haproxy = new Haproxy({
    createRuntime: vmRuntime({
      dir: names.dir,
      get channel() {
        return channel;
      },
      listen: (listener) => {
        heard = listener;
      },
    }),
    lost,
  });

  const connect = async (timeoutMs: number): Promise<void> => {
    const opened = await VmChannel.open(
      {
        path,
        name: names.name,
        told: (words) => heard(words),
        closed: () => {
          if (channel !== opened) return;
          channel = undefined;
          configured = undefined;
          haproxy.release();
          lost('HAProxy ended with its virtual machine');
        },
      },
      timeoutMs,
    );
    channel = opened;
  };

  const disconnect = (): void => {
    haproxy.release();
    channel?.close();
    channel = undefined;
    configured = undefined;
  };

  const specOf = async ({ mac, flavor }: SandboxPlan): Promise<DomainSpec> => {
    const kernel = flavor.kernel ?? join(images, 'vmlinuz');
    const initramfs = flavor.image ?? join(images, 'initramfs');
    const absent = [kernel, initramfs].find((file) => !existsSync(file));
    if (absent !== undefined) throw new AgentError('no-image', `${absent} is not there: run scripts/build-image vm`);
    return {
      name: names.name,
      owner: names.dir,
      acceleration: await accelerate(kernel),
      vcpus: Math.ceil(flavor.vcpus ?? DEFAULTS.vcpus),
      memoryMib: flavor.memoryMib ?? DEFAULTS.memoryMib,
      kernel,
      initramfs,
      tap: names.link,
      mac,
      mtu: ports.mtu,
      channel: path,
      console,
    };
  };

  /** The version of the machine of our name; undefined when there is none. Throws AgentError('name-taken'). */
  const runningVersion = async (): Promise<string | undefined> => {
    const xml = await libvirt.describe(names.name);
    if (xml === undefined) return undefined;
    const found = readDomain(xml);
    if (found?.owner === names.dir) return found.version;
    throw new AgentError('name-taken', `virtual machine ${names.name} exists and is not this agent's: remove it`);
  };

  /** How long to wait for a machine that may boot still: it was started when its description was written. */
  const patience = async (): Promise<number> => {
    const ageMs = await stat(description).then(
      ({ mtimeMs }) => Date.now() - mtimeMs,
      () => BOOT_TIMEOUT_MS,
    );
    return Math.max(ADOPT_TIMEOUT_MS, BOOT_TIMEOUT_MS - Math.max(ageMs, 0));
  };

  /** Takes over a machine that is as it should be, and answers: sets its network. */
  const adopt = async (version: string, script: string): Promise<boolean> => {
    if ((await runningVersion()) !== version) return false;
    if (!(await taps()).some(({ name, isHeld }) => name === names.link && isHeld)) return false;
    try {
      if (channel === undefined) await connect(await patience());
      await channel!.run(script, SETUP_TIMEOUT_MS);
      return true;
    } catch (error) {
      if (error instanceof AgentError && error.code === 'no-answer') return false;
      throw error;
    }
  };

  const boot = async (plan: SandboxPlan, spec: DomainSpec): Promise<void> => {
    disconnect();
    await libvirt.destroy(names.name);
    // The switch would go on with the old cable.
    if (ports.isPlugged(plan)) await ports.unplug(names.link);
    await removeTap(names);
    await Promise.all([path, console].map((file) => rm(file, { force: true })));
    await mkdir(names.dir, { recursive: true, mode: 0o711 });
    await createTap(names, spec.mtu);
    await writeFile(description, domainXml(spec));
    await libvirt.create(description);
    await connect(BOOT_TIMEOUT_MS).catch(async (cause: Error) => {
      const said = (await readFile(console, 'utf8').catch(() => '')).trim().slice(-200);
      throw new AgentError('no-answer', `${cause.message}${said === '' ? '' : `; its console says: ${said}`}`, {
        cause,
      });
    });
  };

  return {
    async create(plan, { isDoubted }) {
      const spec = await specOf(plan);
      const script = networkScript(plan);
      const wanted = JSON.stringify([spec, script]);
      if (channel !== undefined && configured === wanted && !isDoubted) return;
      configured = undefined;
      if (!(await adopt(domainVersion(spec), script))) {
        await boot(plan, spec);
        await channel!.run(script);
      }
      configured = wanted;
    },
    plug: (plan) => ports.plug(plan),
    async configure(plan) {
      if (plan.config === undefined) await haproxy.stop({ isKind: true });
      else await haproxy.ensure(plan.config);
    },
    observe: () => haproxy.observe(),
    isSound: (plan) => channel !== undefined && ports.isPlugged(plan),
    async stop() {
      // The machine goes next, whatever it says to this.
      await haproxy.stop({ isKind: true }).catch(() => {});
    },
    unplug: () => ports.unplug(names.link),
    async destroy() {
      disconnect();
      // Without a folder there was never a machine, and maybe no libvirt.
      if (existsSync(names.dir) && (await runningVersion()) !== undefined) await libvirt.destroy(names.name);
      await removeTap(names);
      await rm(names.dir, { recursive: true, force: true });
    },
    release: disconnect,
  };
}
