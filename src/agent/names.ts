/**
 * Names of what a sandbox has in the system, all derived from the host's name, the agent's run directory, the placement
 * and a key: nothing has to be remembered to find it again, and hosts that share a machine do not meet.
 */
import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';
import type { Placement } from '../model/types.ts';
import { AgentError } from './errors.ts';

export interface SandboxNames {
  /** Key of the load balancer or virtual machine. */
  readonly key: number;
  /** Of the namespace, container or domain, `hostlb-HOST-KEY-…`: such names are the machine's, not the host's. */
  readonly name: string;
  /** The host's end of the cable, which is also the name of the OVS port: at most 15 characters. */
  readonly link: string;
  /** Folder of its files. It is made first and removed last, so whatever exists has a folder. */
  readonly dir: string;
}

/** The sandbox's end of the cable. */
export const INNER_LINK = 'eth0';

/** Socket paths have 107 bytes; HAProxy takes some for a suffix while it binds. */
const MAX_SOCKET_PATH = 97;
const LONGEST_SOCKET = join('hlb123456-12345', 'master.sock');

/** Names for one host's sandboxes of one placement below `runDir`, and back. Throws AgentError('invalid-options') for a `runDir` too long. */
export function createNaming(init: {
  readonly host: string;
  readonly runDir: string;
  readonly placement: Exclude<Placement, 'switch'>;
}) {
  const { host, runDir, placement } = init;
  if (join(runDir, LONGEST_SOCKET).length > MAX_SOCKET_PATH) {
    throw new AgentError('invalid-options', `run directory ${runDir} is too long for the sockets in it`);
  }
  const digest = createHash('sha256')
    .update(`${host}\0${resolve(runDir)}\0${placement}`)
    .digest('hex');
  const suffix = Number.parseInt(digest.slice(0, 12), 16).toString(36).padStart(5, '0').slice(-5);
  const pattern = new RegExp(`^hlb([0-9a-z]{1,6})-${suffix}$`);

  return {
    of(key: number): SandboxNames {
      const link = `hlb${key.toString(36)}-${suffix}`;
      return { key, name: `hostlb-${host}-${key}-${suffix}`, link, dir: join(runDir, link) };
    },
    /** The key in a link's (or folder's) name; undefined for names that are not of these sandboxes. */
    keyOf(link: string): number | undefined {
      const key = pattern.exec(link)?.[1];
      return key === undefined ? undefined : Number.parseInt(key, 36);
    },
    runDir,
    /** What all names end with. */
    suffix,
  };
}

export type Naming = ReturnType<typeof createNaming>;

/** The file that holds a named namespace open. */
export const namespaceFile = (namespace: string): string => `/run/netns/${namespace}`;
