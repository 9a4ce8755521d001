/** Kernel and initramfs for tests, made once and kept with the other caches of development. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { packaged } from '../../src/util/paths.ts';

/** What tests with virtual machines need beside the programs of every system test. */
export const VM_PROGRAMS = [
  'virsh',
  'libvirtd',
  'qemu-system-x86_64',
  'unshare',
  'flock',
  'apt-get',
  'cpio',
  'modprobe',
];
/** The first one downloads packages. */
export const IMAGES_TIMEOUT_MS = 180_000;

/** Where they are kept. */
export const VM_IMAGES = packaged('node_modules/.cache/hostlb-images');

/** Builds what is not up to date; resolves to the folder. */
export async function vmImages(): Promise<string> {
  await promisify(execFile)(packaged('scripts/build-image'), ['vm', '--output', VM_IMAGES]);
  return VM_IMAGES;
}
