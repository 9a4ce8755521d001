/** A lab for a bench: the real product on real Open vSwitch, gone when the bench ends. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { createLab, type Lab, parseTopology, type VmRequest } from '../../src/lab/index.ts';
import type { Algorithm, Placement, ReturnPath } from '../../src/model/types.ts';
import { packaged } from '../../src/util/paths.ts';
import { VM_IMAGES } from '../../test/support/vm-images.ts';
import { defer } from './clean-up.ts';

const run = promisify(execFile);
const HOSTLB = packaged('bin/hostlb');
/** Selects the flows of hostlb. */
export const OUR_FLOWS = 'cookie=0x686c000000000000/0xffff000000000000';

export const BLUE = {
  name: 'blue',
  vlan: 0,
  subnets: ['10.0.0.0/23', 'fd00::/64'],
  balancer_range: '10.0.0.240-10.0.0.250',
} as const;

/** With room for thousands of VIPs. */
export const WIDE = { ...BLUE, subnets: ['10.0.0.0/16', 'fd00::/64'] } as const;

export interface LabPlan {
  readonly name: string;
  readonly hosts: readonly string[];
  readonly networks?: readonly object[];
  readonly vms: readonly VmRequest[];
  /** Without controller and agents: the bridges only switch. */
  readonly bare?: boolean;
  /** Further words for the controller. */
  readonly controller?: readonly string[];
}

/** Makes agents tell what their steps took, and find what virtual machines are made of. */
const AGENT_OPTIONS = ['--log-level', 'debug', '--vm-images', VM_IMAGES];

/** A lab that is up, with its API's URL. */
export interface BenchLab extends Lab {
  readonly api: string;
}

/** Brings a lab up and registers its end. */
export async function startLab(plan: LabPlan): Promise<BenchLab> {
  const { name, hosts, networks = [BLUE], vms, bare = false, controller = [] } = plan;
  const lab = createLab({ name: `bench${process.pid}${name}` });
  const topology = parseTopology({ hosts: hosts.map((host) => ({ name: host })), networks, vms });
  const api = `127.0.0.1:${await freePort()}`;
  defer(() => lab.down());
  await lab.up({ topology, bare, api, controllerOptions: controller, agentOptions: AGENT_OPTIONS });
  return Object.assign(lab, { api: `http://${api}` });
}

/** A port of 127.0.0.1 that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

/** `hostlb apply --wait` of a document: resolves when all hosts have it. */
export async function apply(lab: BenchLab, document: object): Promise<void> {
  const child = spawn(HOSTLB, ['apply', '-f', '-', '--wait', '--api', lab.api], { stdio: ['pipe', 'ignore', 'pipe'] });
  child.stdin.end(JSON.stringify(document));
  const [said, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
  if (code !== 0) throw new Error(`hostlb apply: ${said.trim()}`);
}

export interface WebPlan {
  readonly name: string;
  readonly vips: readonly string[];
  /** Addresses, with weights where they are not 1. */
  readonly members: readonly (string | { readonly address: string; readonly weight: number })[];
  readonly placement?: Placement;
  readonly network?: string;
  readonly owner?: string;
  /** SOURCE_IP_PORT in the switch, elsewhere ROUND_ROBIN, unless given. */
  readonly algorithm?: Algorithm;
  readonly returnPath?: ReturnPath;
  /** Of the members; 80 unless given. */
  readonly port?: number;
}

/** A load balancer of port 80 in the form of `hostlb apply`. */
export function web({
  name,
  vips,
  members,
  placement = 'switch',
  network = 'blue',
  owner,
  algorithm,
  returnPath,
  port = 80,
}: WebPlan): object {
  const pool = {
    lb_algorithm: algorithm ?? (placement === 'switch' ? 'SOURCE_IP_PORT' : 'ROUND_ROBIN'),
    members: members.map((member) => ({
      ...(typeof member === 'string' ? { address: member } : member),
      protocol_port: port,
    })),
  };
  const listener = { name: 'http', protocol: 'TCP', protocol_port: 80, default_pool: pool };
  const optional = { ...(owner !== undefined && { owner }), ...(returnPath && { return_path: returnPath }) };
  return { name, network, vips, placement, listeners: [listener], ...optional };
}

/** Lets a VM open a connection for each page without running out of local ports. */
export async function manyPorts(lab: BenchLab, vm: string): Promise<void> {
  const settings = 'cd /proc/sys/net/ipv4; echo 1 >tcp_tw_reuse; echo 1024 65000 >ip_local_port_range';
  await execIn(lab, vm, ['sh', '-c', settings]);
}

/** Whether every balancer is ready, and there are so many. Throws what the first that is not has to say. */
export async function allReady(lab: BenchLab, count: number): Promise<void> {
  const answer = await fetch(`${lab.api}/v1/balancers`);
  const { balancers } = (await answer.json()) as {
    balancers: { loadbalancer: string; state: string; error: string }[];
  };
  const other = balancers.find(({ state }) => state !== 'ready');
  if (other !== undefined) throw new Error(`balancer of ${other.loadbalancer} is ${other.state}: ${other.error}`);
  if (balancers.length !== count) throw new Error(`there are ${balancers.length} balancers, not ${count}`);
}

/** Runs a command in a VM or on a host; answers its output, throws when it fails. */
export async function execIn(lab: Lab, target: string, command: readonly string[], input?: string): Promise<string> {
  const { exitCode, stdout, stderr } = await lab.exec(target, command, input === undefined ? {} : { input });
  if (exitCode !== 0) throw new Error(`${command.slice(0, 3).join(' ')} in ${target}: ${stderr.trim() || stdout}`);
  return stdout;
}

/** The command line of one of the Python tools beside this folder. */
export function tool(name: string, ...args: readonly (string | number)[]): string[] {
  return ['/usr/bin/python3', packaged(`bench/tools/${name}.py`), ...args.map(String)];
}

/** What `tools/load.py` prints. */
export interface Load {
  readonly attempts: number;
  readonly failed: readonly (readonly [second: number, reason: string])[];
  /** Of the connections that did not fail. */
  readonly ms: readonly number[];
  /** When it began, by the machine's monotonic clock, as `process.hrtime`. */
  readonly beginNs: number;
  /** What each connection that did not fail got. */
  readonly pages: readonly (readonly [second: number, page: string])[];
  /** Requests on connections that were kept. */
  readonly kept: { readonly asked: number; readonly failed: readonly (readonly [second: number, reason: string])[] };
}

/** Runs a tool in a VM and answers the last line that it printed, as JSON. */
export async function runTool<T>(lab: Lab, vm: string, command: readonly string[]): Promise<T> {
  return JSON.parse((await execIn(lab, vm, command)).trimEnd().split('\n').at(-1)!) as T;
}

/** Whether a VM gets a page, asked until it does. Throws after 20 s. */
export async function serves(lab: Lab, vm: string, url: string): Promise<void> {
  const deadline = performance.now() + 20_000;
  while ((await lab.exec(vm, ['curl', '-gsf', '-m', '1', '-o', '/dev/null', url])).exitCode !== 0) {
    if (performance.now() > deadline) throw new Error(`${url} does not answer to ${vm}`);
  }
}

/** How many flows of hostlb a host's switch has. */
export async function flowCount(lab: Lab, host: string): Promise<number> {
  const { openflow, env } = lab.host(host);
  const options = { env: { ...process.env, ...env }, maxBuffer: 64 << 20 };
  const { stdout } = await run('ovs-ofctl', ['-OOpenFlow15', 'dump-flows', openflow, OUR_FLOWS], options);
  return stdout.split('\n').filter((line) => line.includes('cookie=')).length;
}
