/** A host for tests of the agent: Open vSwitch that only switches, VMs, a state database; the controller is the test. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { createNaming } from '../../src/agent/names.ts';
import { createLab, type Lab, type Topology } from '../../src/lab/index.ts';
import { hostNamespace } from '../../src/lab/names.ts';
import { inside, kill, pidsIn } from '../../src/lab/process.ts';
import { namespaces } from '../../src/lab/wiring.ts';
import type { Balancer, LoadBalancer } from '../../src/model/types.ts';
import { createStore, type LoadBalancerSpec, type Store, type Written } from '../../src/store/index.ts';
import { packaged } from '../../src/util/paths.ts';
import { labName } from '../support/lab.ts';
import { type OvsdbServer, startOvsdbServer } from '../support/ovsdb-server.ts';
import { HOSTLB, programOf } from '../support/program.ts';

const run = promisify(execFile);

export interface Load {
  /** Ends it; how many answers each member gave, and what failed. */
  stop(): Promise<{ answers: Record<string, number>; failures: string[] }>;
}

export class TestHost {
  readonly lab: Lab;
  readonly name = 'h1';
  database!: OvsdbServer;
  store!: Store;
  agent: ChildProcess | undefined;

  constructor() {
    this.lab = createLab({ name: labName('ag') });
  }

  async up(topology: Topology): Promise<void> {
    const [database] = await Promise.all([
      startOvsdbServer({ schema: packaged('schema/hostlb.ovsschema') }),
      this.lab.up({ topology, bare: true }),
    ]);
    this.database = database;
    this.store = createStore({ remote: database.unix, backoffMs: { min: 20, max: 100 } });
    await this.store.start();
    await this.store.putHost({ name: this.name, remote: this.lab.host(this.name).remote });
    for (const { balancer_range: range, ...network } of topology.networks) {
      await this.store.putNetwork({ ...network, balancerRanges: range === undefined ? [] : [range] });
    }
  }

  async down(): Promise<void> {
    await this.stopAgent('SIGKILL');
    for (const sandbox of this.sandboxes()) {
      await kill(pidsIn([sandbox]));
      await run('ip', ['netns', 'del', sandbox]);
    }
    await this.store?.stop();
    await this.database?.stop();
    await this.lab.down();
  }

  get runDir(): string {
    return join(this.lab.paths.host(this.name), 'agent');
  }

  get id(): string {
    return [...this.store.model.hosts.values()][0]!.id;
  }

  startAgent(): void {
    const { remote } = this.lab.host(this.name);
    const where = ['--host', this.name, '--db', this.database.unix, '--ovs', remote, '--run-dir', this.runDir];
    const words = [...HOSTLB.slice(1), 'agent', ...where, '--log-file', `${this.runDir}.log`, '--log-level', 'debug'];
    const [file, args] = inside(hostNamespace(this.lab.name, this.name), HOSTLB[0], words);
    this.agent = spawn(file, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  }

  async stopAgent(signal: NodeJS.Signals): Promise<void> {
    const agent = this.agent;
    this.agent = undefined;
    if (agent === undefined || agent.exitCode !== null || agent.signalCode !== null) return;
    agent.kill(signal);
    await once(agent, 'exit');
  }

  log(): Promise<string> {
    return readFile(`${this.runDir}.log`, 'utf8');
  }

  /** Makes a load balancer, and gives the host an address in its network, as the controller would. */
  async create(spec: LoadBalancerSpec): Promise<LoadBalancer> {
    const { id } = await this.store.createLoadBalancer({ placement: 'namespace', ...spec });
    const loadBalancer = this.store.model.loadBalancers.get(id)!;
    await this.store.allocateAddresses(this.id, loadBalancer.network.id);
    return loadBalancer;
  }

  /** The same with its balancer on this host. */
  async balance(spec: LoadBalancerSpec): Promise<LoadBalancer> {
    const loadBalancer = await this.create(spec);
    await this.wantBalancers([...this.balanced(), loadBalancer.id]);
    return loadBalancer;
  }

  /** Load balancers that have a balancer here. */
  balanced(): string[] {
    return [...this.store.model.balancers.values()].map(({ loadBalancerId }) => loadBalancerId);
  }

  wantBalancers(loadBalancerIds: readonly string[]): Promise<void> {
    const wanted = loadBalancerIds.map((loadBalancerId) => ({ loadBalancerId, state: 'pending' as const }));
    return this.store.setBalancers(this.id, wanted);
  }

  balancerOf(loadBalancerId: string): Balancer | undefined {
    return [...this.store.model.balancers.values()].find((one) => one.loadBalancerId === loadBalancerId);
  }

  /** Resolves when the model is so, at once or after a change. */
  until(isSo: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!isSo()) return;
        this.store.off('change', look);
        resolve();
      };
      this.store.on('change', look);
      look();
    });
  }

  ready(loadBalancerId: string): Promise<void> {
    return this.until(() => this.balancerOf(loadBalancerId)?.state === 'ready');
  }

  /** Follows every change of a balancer's state from now on. */
  statesOf(loadBalancerId: string): string[] {
    const states: string[] = [];
    const now = () => this.balancerOf(loadBalancerId)?.state ?? 'gone';
    let last = now();
    this.store.on('change', () => {
      if (now() !== last) states.push(now());
      last = now();
    });
    return states;
  }

  /** Makes a change of the load balancer; resolves when its balancer on this host serves it. */
  async change(loadBalancerId: string, write: Promise<Written>): Promise<string> {
    const { id, generation } = await write;
    await this.until(() => (this.balancerOf(loadBalancerId)?.generation ?? 0) >= generation);
    return id;
  }

  /** Resolves when other processes serve in the namespace than `before`. */
  async restarted(namespace: string, before: readonly number[]): Promise<void> {
    for (;;) {
      const now = await this.haproxies(namespace);
      if (now.length >= 2 && !now.some((pid) => before.includes(pid))) return;
      await delay(20);
    }
  }

  /** Resolves when the agent says that this sandbox is gone. */
  async settled(namespace: string): Promise<void> {
    const isGone = (line: string) => line.includes(`"${namespace}"`) && line.includes('"state":"gone"');
    while (!(await this.log()).split('\n').some(isGone)) await delay(20);
  }

  /** Resolves when no sandbox is left. */
  async removed(): Promise<void> {
    while (this.sandboxes().length > 0 || readdirSync(this.runDir).length > 1) await delay(20);
  }

  /** Namespaces of this host's sandboxes. */
  sandboxes(): string[] {
    const { of } = createNaming({ host: this.name, runDir: this.runDir, placement: 'namespace' });
    const isOurs = (name: string): boolean => {
      const key = Number(name.split('-').at(-2));
      return Number.isInteger(key) && of(key).name === name;
    };
    return namespaces().filter(isOurs);
  }

  async cables(): Promise<string[]> {
    const { stdout } = await this.lab.exec(this.name, ['ip', '-o', 'link', 'show', 'type', 'veth']);
    return [...stdout.matchAll(/ (hlb[^@:]+)[@:]/g)].map(([, name]) => name!);
  }

  async ports(): Promise<string[]> {
    const { stdout } = await this.lab.exec(this.name, ['ovs-vsctl', 'list-ports', 'br-int']);
    return stdout.split('\n').filter((name) => name.startsWith('hlb'));
  }

  vsctl(...args: readonly string[]): Promise<string> {
    return this.lab.exec(this.name, ['ovs-vsctl', ...args]).then(({ stdout }) => stdout.trim());
  }

  /** HAProxy's processes: the master first. */
  async haproxies(namespace: string): Promise<number[]> {
    const pids = pidsIn([namespace]);
    const parents = await Promise.all(
      pids.map(async (pid) => (await run('ps', ['-o', 'ppid=', '-p', `${pid}`]).catch(() => ({ stdout: '' }))).stdout),
    );
    const isMaster = (pid: number) => !pids.includes(Number(parents[pids.indexOf(pid)]));
    return [...pids].sort((a, b) => Number(isMaster(b)) - Number(isMaster(a)));
  }

  /** What a server says at the address, or else curl. */
  async fetch(vm: string, address: string): Promise<string> {
    const options = ['-sS', '-m', '5', '--retry', '3', '--retry-all-errors', '--retry-delay', '1'];
    const { stdout, stderr } = await this.lab.exec(vm, ['curl', ...options, `http://${address}/`]);
    return (stdout || stderr).trim();
  }

  async answers(vm: string, address: string, count: number): Promise<string[]> {
    const answers: string[] = [];
    for (let i = 0; i < count; i++) answers.push(await this.fetch(vm, address));
    return answers;
  }

  /** Sequential requests of a VM, each over a new connection. */
  async load(vm: string, address: string): Promise<Load> {
    const words = [...programOf('test/agent/requests.ts'), `http://${address}/`];
    const { file, args } = this.lab.command(vm, words);
    const child = spawn(file, [...args], { stdio: ['pipe', 'pipe', 'inherit'], cwd: packaged('.') });
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    await lines.next();
    return {
      stop: async () => {
        child.stdin.end();
        return JSON.parse((await lines.next()).value);
      },
    };
  }
}
