/**
 * Where drivers are tried: a real Open vSwitch that only switches, in the test's own network, and a client on its bridge.
 *
 *   client namespace [eth0]───[hc…] bridge [hlb…]───[eth0] sandbox
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { SandboxPlacement } from '../../../src/agent/drivers/driver.ts';
import type { ProxyConfig } from '../../../src/agent/haproxy-config.ts';
import { createNaming, type Naming, type SandboxNames } from '../../../src/agent/names.ts';
import type { SandboxPlan } from '../../../src/agent/plan.ts';
import { createSwitchClient, type SwitchClient, SwitchPorts } from '../../../src/agent/switch-ports.ts';
import { type Ovs, startOvs } from '../../support/ovs.ts';

const exec = promisify(execFile);

export async function sh(file: string, ...args: readonly string[]): Promise<string> {
  return (await exec(file, [...args], { maxBuffer: 1 << 26 })).stdout.trim();
}

export const VIP4 = '10.9.0.100';
export const VIP6 = 'fd09::100';
const CLIENT = ['10.9.0.11/24', 'fd09::11/64'];

export class Bench {
  readonly host = `t${process.pid}`;
  readonly bridge = `hb${process.pid}`;
  readonly #client = `hostlb-client-${process.pid}`;
  readonly #cable = `hc${process.pid}`;
  #ovs!: Ovs;
  #switch!: SwitchClient;
  runDir!: string;
  ports!: SwitchPorts;

  async up(): Promise<void> {
    this.runDir = await mkdtemp(join(tmpdir(), 'hlb-'));
    // The dummy datapath takes real cables too; of the other userspace one a network can have but one.
    this.#ovs = await startOvs({ bridge: this.bridge });
    await this.vsctl('set', 'bridge', this.bridge, 'fail_mode=standalone');
    const [outer, inner] = [this.#cable, this.#client];
    await sh('ip', 'netns', 'add', inner);
    await sh('ip', 'link', 'add', outer, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', inner);
    await sh('ip', 'link', 'set', outer, 'addrgenmode', 'none', 'up');
    await this.inClient('ethtool', '-K', 'eth0', 'tx', 'off');
    for (const address of CLIENT) await this.inClient('ip', 'addr', 'add', address, 'dev', 'eth0', 'nodad');
    for (const link of ['lo', 'eth0']) await this.inClient('ip', 'link', 'set', link, 'up');
    await this.vsctl('add-port', this.bridge, outer);
    this.#switch = createSwitchClient({ remote: this.#ovs.dbRemote });
    this.#switch.start();
    await this.#switch.whenSynced();
    this.ports = new SwitchPorts({ client: this.#switch, bridge: this.bridge });
  }

  async down(): Promise<void> {
    await this.#switch?.stop();
    await sh('ip', 'netns', 'del', this.#client).catch(() => {});
    await this.#ovs?.stop();
    // A libvirtd that is about to end may still write.
    if (this.runDir !== undefined) await rm(this.runDir, { recursive: true, force: true, maxRetries: 60 });
  }

  /** OVSDB remote of the Open vSwitch. */
  get remote(): string {
    return this.#ovs.dbRemote;
  }

  /** Makes the client a VM of this name, as a hypervisor would. */
  async named(ifaceId: string): Promise<void> {
    const mac = await this.inClient('cat', '/sys/class/net/eth0/address');
    const ids = [`external_ids:iface-id=${ifaceId}`, `external_ids:attached-mac="${mac}"`];
    await this.vsctl('set', 'Interface', this.#cable, ...ids);
  }

  naming(placement: SandboxPlacement): Naming {
    return createNaming({ host: this.host, runDir: this.runDir, placement });
  }

  vsctl(...args: readonly string[]): Promise<string> {
    return this.#ovs.vsctl(...args);
  }

  inClient(...words: readonly string[]): Promise<string> {
    return sh('ip', 'netns', 'exec', this.#client, ...words);
  }

  /** Puts the client into a VLAN. */
  async tag(vlan: number): Promise<void> {
    await this.vsctl('set', 'Port', this.#cable, vlan === 0 ? 'tag=[]' : `tag=${vlan}`);
  }

  /** What the sandbox answers at its VIPs, in this order: IPv4, IPv6. */
  async answers(): Promise<string[]> {
    const options = ['-sS', '-g', '-m', '5', '--retry', '5', '--retry-all-errors', '--retry-delay', '1'];
    return Promise.all([VIP4, `[${VIP6}]`].map((address) => this.inClient('curl', ...options, `http://${address}/`)));
  }

  /** What is left of sandboxes, wherever they were made. */
  async leftovers({ suffix }: Naming): Promise<string[]> {
    const found = await Promise.all([
      sh('ip', 'netns', 'list'),
      sh('ip', '-o', 'link', 'show'),
      this.vsctl('list-ports', this.bridge),
      readdir(this.runDir).then((folders) => folders.join('\n')),
    ]);
    return found.flatMap((text) => text.split('\n')).filter((line) => line.includes(`-${suffix}`));
  }
}

/** A configuration in which HAProxy itself answers, with this word. */
export function answering(word: string): ProxyConfig {
  const text = `global
  description ${word}
defaults
  mode http
  timeout client 5s
  timeout server 5s
  timeout connect 5s
frontend web
  bind ${VIP4}:80
  bind [${VIP6}]:80
  http-request return status 200 content-type text/plain string "${word}"
`;
  return { text, version: word, servers: [] };
}

/** One without a listener. */
export const SILENT: ProxyConfig = { text: 'global\n  description silent\n', version: 'silent', servers: [] };

/** One that HAProxy refuses. */
export const BAD: ProxyConfig = {
  text: 'global\n  description bad\nfrontend web\n  nonsense\n',
  version: 'bad',
  servers: [],
};

const NO_FLAVOR = { vcpus: undefined, memoryMib: undefined, image: undefined, kernel: undefined };

export function planOf(names: SandboxNames, given: Partial<SandboxPlan> = {}): SandboxPlan {
  return {
    names,
    externalIds: { 'hostlb-balancer': 'lb-1', 'hostlb-host': 'h1', 'attached-mac': '0e:00:00:00:00:01' },
    mac: '0e:00:00:00:00:01',
    vlan: 0,
    addresses: [
      { family: 4, address: VIP4, prefixLength: 24 },
      { family: 6, address: VIP6, prefixLength: 64 },
    ],
    routes: [],
    neighbours: [],
    reservedPorts: [80],
    flavor: NO_FLAVOR,
    config: answering('one'),
    generation: 1,
    ...given,
  };
}
