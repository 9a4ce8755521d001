/** What libvirt is told of a virtual machine: a pure function, so the text can be read and tested. */
import { createHash } from 'node:crypto';

export interface DomainSpec {
  readonly name: string;
  /** Whom the machine belongs to: no other machine of this name is touched. */
  readonly owner: string;
  readonly acceleration: 'kvm' | 'qemu';
  readonly vcpus: number;
  readonly memoryMib: number;
  readonly kernel: string;
  readonly initramfs: string;
  /** A tap that exists, and what frames on it may be as long as. */
  readonly tap: string;
  readonly mac: string;
  readonly mtu: number;
  /** Paths of the unix socket and of the log that QEMU makes. */
  readonly channel: string;
  readonly console: string;
}

/** The name of the channel's port; the guest looks for it (scripts/image/init). */
const CHANNEL = 'hostlb';
const METADATA = 'urn:hostlb:sandbox';
/** All that there is. An emulated machine without RDRAND would have HAProxy wait a second for random numbers. */
const CPU = { kvm: 'host-passthrough', qemu: 'maximum' } as const;
/** The timer of an emulated machine is as exact as it gets: measuring it takes half a second and sometimes fails. */
const COMMAND_LINE = 'console=ttyS0 quiet panic=-1 tsc=reliable no_timer_check';

/** The same for machines that are the same, so that one which is to be different is found. */
export function domainVersion(spec: DomainSpec): string {
  return createHash('sha256').update(render(spec, '')).digest('hex').slice(0, 16);
}

/** XML for `virsh create`. The machine ends, rather than start again, when it is turned off, reboots or crashes. */
export function domainXml(spec: DomainSpec): string {
  return render(spec, domainVersion(spec));
}

/** Owner and version in what `virsh dumpxml` says of a machine; undefined for one that is not an agent's. */
export function readDomain(xml: string): { readonly owner: string; readonly version: string } | undefined {
  const tag = new RegExp(`<[^>]*xmlns[^>]*["']${METADATA}["'][^>]*>`).exec(xml)?.[0] ?? '';
  const value = (name: string) => new RegExp(` ${name}=["']([^"']*)["']`).exec(tag)?.[1];
  const owner = value('owner');
  const version = value('version');
  return owner === undefined || version === undefined ? undefined : { owner: plainText(owner), version };
}

function render(spec: DomainSpec, version: string): string {
  const xml = Object.fromEntries(Object.entries(spec).map(([key, value]) => [key, quoted(`${value}`)])) as {
    readonly [K in keyof DomainSpec]: string;
  };
  return `<domain type='${xml.acceleration}'>
  <name>${xml.name}</name>
  <metadata><hostlb:sandbox xmlns:hostlb='${METADATA}' owner='${xml.owner}' version='${version}'/></metadata>
  <memory unit='MiB'>${xml.memoryMib}</memory>
  <vcpu>${xml.vcpus}</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>${xml.kernel}</kernel>
    <initrd>${xml.initramfs}</initrd>
    <cmdline>${COMMAND_LINE}</cmdline>
  </os>
  <features><acpi/></features>
  <cpu mode='${CPU[spec.acceleration]}'/>
  <clock offset='utc'/>
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>destroy</on_reboot>
  <on_crash>destroy</on_crash>
  <devices>
    <controller type='usb' model='none'/>
    <interface type='ethernet'>
      <mac address='${xml.mac}'/>
      <target dev='${xml.tap}' managed='no'/>
      <model type='virtio'/>
      <mtu size='${xml.mtu}'/>
    </interface>
    <serial type='file'><source path='${xml.console}'/></serial>
    <channel type='unix'>
      <source mode='bind' path='${xml.channel}'/>
      <target type='virtio' name='${CHANNEL}'/>
    </channel>
    <memballoon model='none'/>
  </devices>
  <seclabel type='none'/>
</domain>
`;
}

const ENTITIES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', "'": '&apos;', '"': '&quot;' } as const;

const quoted = (text: string): string =>
  text.replaceAll(/[&<>'"]/g, (found) => ENTITIES[found as keyof typeof ENTITIES]);

const plainText = (text: string): string =>
  Object.entries(ENTITIES).reduceRight((rest, [plain, entity]) => rest.replaceAll(entity, plain), text);
