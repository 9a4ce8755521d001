/** Which ports of a bridge are what: from flows, and from `ovs-appctl dpif/show`. */
import { readCookie } from '../pipeline/ids.ts';
import type { BridgePorts } from './names.ts';

/** Where balancers outside the switch are plugged in, by the flows that let them speak: OpenFlow port → key of the load balancer. */
export function plugsIn(flows: string): BridgePorts['plugs'] {
  return new Map(portsIn(flows, 'load_balancer'));
}

/** Uplinks of a network, by its key. */
export function uplinksIn(flows: string, networkKey: number): readonly number[] {
  return [...portsIn(flows, 'uplink')].filter(([, key]) => key === networkKey).map(([port]) => port);
}

/** Ports that flows with cookies of one kind take frames from, each with the cookie's key. */
function* portsIn(flows: string, kind: string): Generator<readonly [ofport: number, key: number], void> {
  for (const [, cookie, port] of flows.matchAll(
    /^cookie=(0x[0-9a-f]+), (?:table=ingress, )[^ ]*\bin_port=(\d+)[, ]/gm,
  )) {
    const read = readCookie(BigInt(cookie!));
    if (read?.kind === kind) yield [Number(port), read.key];
  }
}

/** Reads `dpif/show`: lines such as `    vm-c1 3/2: (system)` below `  br-int:`. */
export function readBridgePorts(text: string, bridge: string): Pick<BridgePorts, 'interfaces' | 'datapath'> {
  const interfaces = new Map<number, string>();
  const datapath = new Map<number, number>();
  let current = '';
  for (const line of text.split('\n')) {
    const opened = /^ {2}(\S.*):$/.exec(line);
    if (opened !== null) current = opened[1]!;
    const [, name, ofport, number] = /^ {4}(\S+) (\d+)\/(\d+): /.exec(line) ?? [];
    if (current !== bridge || name === undefined) continue;
    interfaces.set(Number(ofport), name);
    datapath.set(Number(number), Number(ofport));
  }
  return { interfaces, datapath };
}
