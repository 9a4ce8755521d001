/** Frames that the controller sends through a host's switch, into the network or to a VM. */
import { NO_BUFFER, type Session } from '../openflow/index.ts';
import { announcementFrames, introductionFrame, lookupFrame } from './packets.ts';
import { type ProbePacket, probeFrame, type Route } from './probe-packets.ts';

/** A VIP to be told to the VM behind a port. */
export interface Announcement {
  readonly ofport: number;
  readonly vip: string;
  readonly vipMac: string;
}

/** Packets that a session remembers, should the switch refuse one: many hosts send some all day. */
const PACKETS_AT_ONCE = 100;
const OFPP_CONTROLLER = 0xffff_fffd;
const OFPP_NORMAL = 0xffff_fffa;

/** Nothing happens while there is no session. */
export class FrameSender {
  readonly #session: () => Session | undefined;
  /** Packets sent since the switch was last asked whether it has taken them. */
  #unconfirmed = 0;

  constructor(session: () => Session | undefined) {
    this.#session = session;
  }

  /** Asks on the network who has the address; the answer comes as a `claim`. */
  lookUp(address: string, options: { readonly mac: string; readonly vlan: number }): void {
    this.#send([{ port: OFPP_NORMAL, data: lookupFrame(address, options.mac, options.vlan) }]);
  }

  /** Tells everybody on the network who has the address. */
  proclaim(address: string, { mac, vlan }: { readonly mac: string; readonly vlan: number }): void {
    this.#send(announcementFrames(address, mac, vlan).map((data) => ({ port: OFPP_NORMAL, data })));
  }

  /** Tells the VMs behind ports who has which address. */
  announce(announcements: readonly Announcement[]): void {
    this.#send(
      announcements.flatMap(({ ofport: port, vip, vipMac }) =>
        announcementFrames(vip, vipMac).map((data) => ({ port, data })),
      ),
    );
  }

  /** Sends a health probe to a VM's port, or to wherever the bridge finds its target. */
  probe(packet: ProbePacket, route: Route & { readonly ofport: number | undefined }, introduce: boolean): void {
    const port = route.ofport ?? OFPP_NORMAL;
    const target = { address: route.target, mac: route.targetMac };
    const frames = [...(introduce ? [introductionFrame(route, target)] : []), probeFrame(packet, route)];
    this.#send(frames.map((data) => ({ port, data })));
  }

  #send(packets: readonly { readonly port: number; readonly data: Uint8Array }[]): void {
    const match = { in_port: OFPP_CONTROLLER };
    const messages = packets.map(
      ({ port, data }) =>
        ({
          kind: 'packet_out',
          bufferId: NO_BUFFER,
          match,
          actions: [{ kind: 'output', port, maxLen: 0 }],
          data,
        }) as const,
    );
    const session = this.#session();
    // A session that ends meanwhile says so by its close event.
    session?.send(messages).catch(() => {});
    this.#unconfirmed += messages.length;
    if (this.#unconfirmed < PACKETS_AT_ONCE) return;
    this.#unconfirmed = 0;
    session?.barrier().catch(() => {});
  }
}
