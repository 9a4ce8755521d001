/**
 * Tells VMs the MACs of VIPs without having been asked: at once when a VM and a VIP come together, once more a moment
 * later (RFC 5227: two announcements), and then again and again. Never faster than a fixed rate, however many there are;
 * what is new goes first.
 */
import type { Announcement } from '../host/frame-sender.ts';
import { vipMac } from '../model/vip-mac.ts';
import type { BalancerView } from '../pipeline/view.ts';
import { answersLookups } from '../pipeline/ways.ts';
import { type ClassifiedPort, mayUse } from './ports.ts';

/** MAC of the VM included: another one on the same port is another VM. */
export interface AnnouncementToVm extends Announcement {
  readonly portMac: string;
}

export interface AnnouncerInit {
  /** How often everything is told again. */
  readonly intervalMs: number;
  readonly send: (announcements: readonly Announcement[]) => void;
  readonly random?: () => number;
}

export interface Announcer {
  /** Replaces what there is to tell. */
  want(wanted: Iterable<AnnouncementToVm>): void;
  stop(): void;
}

/** A thousand announcements in a second: a few per cent of what a switch's control channel carries. */
const BATCH = 20;
const BATCH_MS = 20;
/** A VM's port is often there before the VM listens. */
const REPEAT_MS = 2_000;

const keyOf = ({ ofport, portMac, vip, vipMac }: AnnouncementToVm) => `${ofport} ${portMac} ${vip} ${vipMac}`;

/** One host's announcer with nothing to tell. */
export function createAnnouncer({ intervalMs, send, random = Math.random }: AnnouncerInit): Announcer {
  let wanted: ReadonlyMap<string, AnnouncementToVm> = new Map();
  /** Keys, in order. */
  const first = new Set<string>();
  const again = new Set<string>();
  const repeat = new Set<string>();
  let pause: NodeJS.Timeout | undefined;
  let repeating: NodeJS.Timeout | undefined;
  let round: NodeJS.Timeout | undefined;

  function sendBatch(): void {
    const batch: AnnouncementToVm[] = [];
    for (const queue of [first, again]) {
      for (const key of queue) {
        if (batch.length === BATCH) break;
        queue.delete(key);
        const announcement = wanted.get(key);
        if (announcement !== undefined) batch.push(announcement);
      }
    }
    pause = batch.length === 0 ? undefined : setTimeout(sendBatch, BATCH_MS).unref();
    if (batch.length > 0) send(batch);
  }

  function sendSoon(queue: Set<string>, keys: Iterable<string>): void {
    for (const key of keys) queue.add(key);
    if (pause === undefined) sendBatch();
  }

  /** Hosts that began at one time do not go on at one time. */
  function nextRound(): void {
    round = setTimeout(
      () => {
        nextRound();
        sendSoon(again, wanted.keys());
      },
      intervalMs * (0.75 + random() / 2),
    ).unref();
  }

  function repeatLater(keys: readonly string[]): void {
    for (const key of keys) repeat.add(key);
    repeating ??= setTimeout(() => {
      repeating = undefined;
      sendSoon(again, repeat);
      repeat.clear();
    }, REPEAT_MS).unref();
  }

  return {
    want(announcements) {
      const before = wanted;
      wanted = new Map([...announcements].map((one) => [keyOf(one), one]));
      const fresh = [...wanted.keys()].filter((key) => !before.has(key));
      if (wanted.size === 0) {
        clearTimeout(round);
        round = undefined;
      } else if (round === undefined) nextRound();
      if (fresh.length === 0) return;
      repeatLater(fresh);
      sendSoon(first, fresh);
    },
    stop() {
      for (const timer of [pause, repeating, round]) clearTimeout(timer);
    },
  };
}

/** What these balancers tell the VMs that may use them: the same that they answer when they are asked. */
export function* announcements(
  balancers: readonly BalancerView[],
  ports: readonly ClassifiedPort[],
): Generator<AnnouncementToVm, void> {
  for (const balancer of balancers) {
    const { loadBalancer } = balancer;
    if (loadBalancer.lookupMode !== 'announce' || !answersLookups(balancer)) continue;
    const mac = vipMac(loadBalancer.id);
    for (const port of ports) {
      if (!mayUse(port, loadBalancer)) continue;
      for (const vip of loadBalancer.vips) yield { ofport: port.ofport, portMac: port.mac!, vip, vipMac: mac };
    }
  }
}
