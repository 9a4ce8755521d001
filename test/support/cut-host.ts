/** A host of a lab that the controller reaches over wires that can be cut. */
import { dirname, join } from 'node:path';
import type { Client } from '../../src/api/client.ts';
import type { Lab } from '../../src/lab/index.ts';
import { WireCutter } from './wire-cutter.ts';

/** The port that hostlb takes for OpenFlow on a host that it reaches over TCP. */
const OPENFLOW_PORT = 6653;
const BRIDGE = 'br-int';

export interface Wires {
  readonly database: WireCutter;
  readonly openflow: WireCutter;
  /** How the controller reaches the host now. */
  readonly remote: string;
  /** Both. */
  cut(): void;
  mend(): void;
  bury(): void;
  stop(): Promise<void>;
}

/** Puts wires between the controller and this host. */
export async function wired(
  { lab, client }: { readonly lab: Lab; readonly client: Client },
  host: string,
): Promise<Wires> {
  const folder = dirname(lab.host(host).openflow.replace(/^unix:/, ''));
  // OpenFlow is where OVSDB is, on a port that is given: each host needs an address of its own.
  const { openflow, address } = await listenSomewhere(join(folder, `${BRIDGE}.mgmt`));
  const database = await WireCutter.start(join(folder, 'db.sock'), { host: address });
  const remote = `tcp:${address}:${database.port}`;
  await client.request('PUT', `/v1/hosts/${host}`, { host: { name: host, remote, bridge: BRIDGE } });
  const both = [database, openflow];
  return {
    database,
    openflow,
    remote,
    cut: () => {
      for (const wire of both) wire.cut();
    },
    mend: () => {
      for (const wire of both) wire.mend();
    },
    bury: () => {
      for (const wire of both) wire.bury();
    },
    stop: async () => void (await Promise.all(both.map((wire) => wire.stop()))),
  };
}

async function listenSomewhere(target: string): Promise<{ readonly openflow: WireCutter; readonly address: string }> {
  for (let nth = 1; ; nth++) {
    const address = `127.66.${process.pid & 255}.${nth}`;
    try {
      const openflow = await WireCutter.start(target, { host: address, port: OPENFLOW_PORT, isOpenFlow: true });
      return { openflow, address };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || nth > 200) throw error;
    }
  }
}
