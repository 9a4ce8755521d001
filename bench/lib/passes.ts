/**
 * What the fast path of Open vSwitch does for each packet, counted and so free of noise. A packet that comes in is looked
 * up once, and once more after each recirculation; an action `ct` is a pass through conntrack.
 */
import { portName } from '../../src/lab/names.ts';
import { type BenchLab, execIn } from './lab.ts';

/** Packets of one sender. */
export interface Passes {
  /** Of a packet, on average. */
  readonly lookups: number;
  readonly conntrack: number;
  /** Flows of the fast path that were made for them. */
  readonly megaflows: number;
}

/** Runs the traffic on a fast path that was emptied before, and counts what it took for IP packets from these VMs. */
export async function countPasses(
  lab: BenchLab,
  vms: readonly string[],
  traffic: () => Promise<unknown>,
): Promise<Passes> {
  await execIn(lab, 'h1', ['ovs-appctl', 'revalidator/purge']);
  await traffic();
  const text = await execIn(lab, 'h1', ['ovs-appctl', 'dpctl/dump-flows', '--names']);
  const ports = new Set(vms.map(portName));
  const flows = text.split('\n').filter((line) => {
    return /eth_type\(0x(0800|86dd)\)/.test(line) && ports.has(/in_port\(([^)]+)\)/.exec(line)?.[1] ?? '');
  });
  const sum = (of: (line: string) => number): number => flows.reduce((all, line) => all + of(line), 0);
  const packets = (line: string): number => Number(/packets:(\d+)/.exec(line)?.[1] ?? 0);
  const came = sum((line) => (line.includes('recirc_id(0)') ? packets(line) : 0));
  const tracked = sum((line) => packets(line) * (line.split('actions:')[1]?.match(/\bct\(/g)?.length ?? 0));
  return { lookups: sum(packets) / came, conntrack: tracked / came, megaflows: flows.length };
}
