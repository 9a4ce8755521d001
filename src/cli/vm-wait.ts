import { setTimeout as sleep } from 'node:timers/promises';
import { ClientError } from '../api/client.ts';
import type { VmJson } from '../api/resources.ts';
import { CliError } from './io.ts';
import { enc, field, type Session } from './session.ts';

const FIRST_POLL_MS = 20;
const LONGEST_POLL_MS = 500;

export interface VmWait {
  readonly session: Session;
  readonly ifaceId: string;
  readonly timeoutMs: number;
}

/** Waits until the machine runs and its host's switch serves its port. Throws CliError after the timeout, with what it is in. */
export async function waitForVm(wait: VmWait): Promise<void> {
  await poll(wait, (vm) => vm?.state === 'client');
}

/** Waits until no host has its port any more. Throws CliError after the timeout. */
export async function waitForVmGone(wait: VmWait): Promise<void> {
  await poll(wait, (vm) => vm === undefined);
}

async function poll({ session, ifaceId, timeoutMs }: VmWait, isDone: (vm: VmJson | undefined) => boolean) {
  const deadline = performance.now() + timeoutMs;
  for (let pauseMs = FIRST_POLL_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_POLL_MS)) {
    const vm = await look(session, ifaceId);
    if (isDone(vm)) return;
    const leftMs = deadline - performance.now();
    if (leftMs <= 0) throw new CliError(`after ${timeoutMs / 1000} s the change is saved but VM ${describe(vm)}`);
    await sleep(Math.min(pauseMs, leftMs), undefined, { signal: session.io.signal });
  }
}

async function look(session: Session, ifaceId: string): Promise<VmJson | undefined> {
  try {
    return field<VmJson>(await session.get(`/v1/vms/${enc(ifaceId)}`), 'vm');
  } catch (error) {
    if (error instanceof ClientError && error.status === 404) return undefined;
    throw error;
  }
}

function describe(vm: VmJson | undefined): string {
  if (vm === undefined) return 'is gone';
  const { name, iface_id: ifaceId, host, state, reason } = vm;
  return `${name || ifaceId} on ${host} is ${state}${reason === '' ? '' : ` (${reason})`}`;
}
