/** The container image for tests: the one that agents take unless told otherwise. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { packaged } from '../../src/util/paths.ts';

/** Builds what is not up to date. */
export async function containerImage(): Promise<void> {
  await promisify(execFile)(packaged('scripts/build-image'), ['container']);
}

/** What it takes. */
export const CONTAINER_PROGRAMS = ['podman', 'apt-get', 'dpkg-deb'];
