/**
 * From `ovs-vsctl add-port` of a VM to the first page that its client gets through the VIP. The VM itself is made
 * before and tries all the time; only its port comes and goes.
 *
 *     h1: the members        h2, h3, …: visited in turn; before a visit a host has no balancer and no flow
 *
 * Each placement has its own network. Members belong to another owner, so they are no clients of the load balancer.
 * The yardstick is a VM of a third owner, whose client asks a member directly: what it takes without any balancer.
 */
import { readFileSync } from 'node:fs';
import type { VmRequest } from '../src/lab/index.ts';
import { portName } from '../src/lab/names.ts';
import { containerImage } from '../test/support/container-image.ts';
import { vmImages } from '../test/support/vm-images.ts';
import { type Bench, repetitions } from './lib/bench.ts';
import { timeFirstPage } from './lib/first-page.ts';
import { apply, type BenchLab, BLUE, flowCount, startLab, web } from './lib/lab.ts';
import { startNginx } from './lib/nginx.ts';
import { type Row, type RowInit, row } from './lib/report.ts';

const network = (name: string, index: number) => ({
  ...{ name, vlan: index * 10, subnets: [`10.${index}.0.0/24`, `fd0${index}::/64`] },
  balancer_range: `10.${index}.0.240-10.${index}.0.250`,
});
const HOSTS = ['h2', 'h3', 'h4', 'h5'];
const MEMBERS = [21, 22] as const;
const CASES = [
  { placement: 'switch', network: BLUE, prefix: '10.0.0', targetMs: 30 },
  { placement: 'namespace', network: network('green', 1), prefix: '10.1.0', targetMs: 500 },
  { placement: 'container', network: network('gold', 2), prefix: '10.2.0', targetMs: 2000 },
] as const;
/** Visited apart from the others, and less often: it takes its time. */
const MACHINE = { placement: 'vm', network: network('grey', 3), prefix: '10.3.0', bootMs: 15_000 } as const;
const NETWORKS = [...CASES, MACHINE];

/** A VM that comes and goes, and whom its client asks. */
interface Client extends VmRequest {
  readonly owner: string;
  readonly vlan: number;
  readonly asks: string;
}

interface Clients {
  readonly direct: Client;
  /** The first of each case on a host, and another one. */
  readonly cases: readonly (readonly Client[])[];
  readonly machine: Client;
}

function clientsOf(host: string): Clients {
  const at = 100 + HOSTS.indexOf(host) * 10;
  const client = (name: string, one: (typeof NETWORKS)[number], last: number): Client => ({
    ...{ name: `${name}${host}`, host, network: one.network.name, ips: [`${one.prefix}.${at + last}`] },
    ...{ vlan: one.network.vlan, owner: 'tenant', asks: `${one.prefix}.200` },
  });
  return {
    direct: { ...client('d', CASES[0], 0), owner: 'other', asks: `${CASES[0].prefix}.21` },
    cases: CASES.map((one) => [1, 2].map((index) => client(`${one.network.name}${index}`, one, index))),
    machine: client(MACHINE.network.name, MACHINE, 1),
  };
}

const allOf = (host: string): Client[] => {
  const { direct, cases, machine } = clientsOf(host);
  return [direct, ...cases.flat(), machine];
};

const members = NETWORKS.flatMap(({ network, prefix }) =>
  MEMBERS.map((last): VmRequest => {
    const name = `${network.name}${last}`;
    return { name, host: 'h1', network: network.name, owner: 'service', ips: [`${prefix}.${last}`] };
  }),
);

/** Plugs a VM in whose client stands ready; milliseconds until its first page. */
async function plugged(lab: BenchLab, { name, host, vlan, owner, asks }: Client): Promise<number> {
  const { mac } = lab.status().vms.find((vm) => vm.name === name)!;
  const externalIds = { 'iface-id': name, 'hostlb-owner': owner };
  const plug = { port: portName(name), vlan, mac, externalIds };
  return timeFirstPage(lab, { vm: name, address: asks }, () => lab.host(host).plug(plug));
}

/** What the agent says its steps took, of the sandbox that it makes meanwhile. */
async function withSteps(lab: BenchLab, host: string, work: () => Promise<number>) {
  const path = lab.status().hosts.find(({ name }) => name === host)!.agent!.log;
  const { length } = readFileSync(path, 'utf8');
  const ms = await work();
  const lines = readFileSync(path, 'utf8').slice(length).split('\n').slice(0, -1);
  type Steps = Readonly<Record<'create' | 'plug' | 'configure', number>>;
  const stepsMs = lines.map((line) => (JSON.parse(line) as { stepsMs?: Steps }).stepsMs).find(Boolean);
  if (stepsMs === undefined) throw new Error(`${path} does not tell what the steps took`);
  return { ms, stepsMs };
}

/** Resolves when the host has no balancer and no flow of ours. */
async function fresh(lab: BenchLab, host: string): Promise<void> {
  const deadline = performance.now() + 20_000;
  for (;;) {
    const answer = await fetch(`${lab.api}/v1/balancers`);
    const { balancers } = (await answer.json()) as { balancers: { host: string }[] };
    if (!balancers.some((balancer) => balancer.host === host) && (await flowCount(lab, host)) === 0) return;
    if (performance.now() > deadline) throw new Error(`host ${host} does not get rid of its balancers`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function start(): Promise<BenchLab> {
  await Promise.all([containerImage(), vmImages()]);
  const lab = await startLab({
    ...{ name: 'p', hosts: ['h1', ...HOSTS], networks: NETWORKS.map((one) => one.network) },
    vms: [...members, ...HOSTS.flatMap(allOf).map(({ asks, vlan, ...vm }) => vm)],
    // A host that is visited again need not be waited for so long.
    controller: ['--linger', '1'],
  });
  await startNginx(
    lab,
    members.map(({ name }) => name),
  );
  for (const { host, name } of HOSTS.flatMap(allOf)) await lab.host(host).unplug(portName(name));
  const load_balancers = NETWORKS.map(({ network, prefix, placement }) => {
    const addresses = MEMBERS.map((last) => `${prefix}.${last}`);
    const what = { name: network.name, network: network.name, placement, owner: 'tenant' } as const;
    return web({ ...what, vips: [`${prefix}.200`], members: addresses });
  });
  await apply(lab, { load_balancers });
  return lab;
}

/** All hosts in turn, several times. The agent's part is that of the first VM on a host. */
async function visits(lab: BenchLab, rounds: number, log: (text: string) => void) {
  const direct: number[] = [];
  const samples = CASES.map(() => ({ first: [] as number[], agent: [] as number[], other: [] as number[] }));
  for (let round = 0; round < rounds; round++) {
    for (const host of HOSTS) {
      log(`round ${round + 1} of ${rounds}, ${host}`);
      await fresh(lab, host);
      const clients = clientsOf(host);
      direct.push(await plugged(lab, clients.direct));
      for (const [at, { placement }] of CASES.entries()) {
        const [first, other] = clients.cases[at]!;
        const into = samples[at]!;
        if (placement === 'switch') {
          into.first.push(await plugged(lab, first!));
        } else {
          const { ms, stepsMs } = await withSteps(lab, host, () => plugged(lab, first!));
          into.first.push(ms);
          into.agent.push(stepsMs.create + Math.max(stepsMs.plug, stepsMs.configure));
        }
        into.other.push(await plugged(lab, other!));
      }
      for (const { name } of [clients.direct, ...clients.cases.flat()]) await lab.host(host).unplug(portName(name));
    }
  }
  return { direct, samples };
}

/** Virtual machines, one at a time, each on another host. */
async function boots(lab: BenchLab, count: number, log: (text: string) => void) {
  const first: number[] = [];
  const boot: number[] = [];
  for (const host of HOSTS.slice(0, count)) {
    log(`virtual machine on ${host}`);
    await fresh(lab, host);
    const { machine } = clientsOf(host);
    const { ms, stepsMs } = await withSteps(lab, host, () => plugged(lab, machine));
    first.push(ms);
    boot.push(stepsMs.create);
    await lab.host(host).unplug(portName(machine.name));
  }
  return { first, boot };
}

export const plug: Bench = {
  title: 'a VM is plugged in, until its first page through the VIP',
  async run(options) {
    options.log('images and lab');
    const lab = await start();
    const { direct, samples } = await visits(lab, repetitions(6, options), options.log);
    const { first, boot } = await boots(lab, 3, options.log);
    const yardstick = { what: 'no balancer', samples: direct };
    const line = (init: Omit<RowInit, 'unit' | 'target'> & { readonly mostMs?: number }): Row[] => {
      const { mostMs, ...rest } = init;
      if (init.samples.length === 0) return [];
      const target = mostMs && ({ limit: '<=', value: mostMs, of: 'median' } as const);
      return [row({ ...rest, unit: 'ms', ...(target && { target }) })];
    };
    return [
      ...CASES.flatMap(({ placement, targetMs: mostMs }, at) => {
        const { first, agent, other } = samples[at]!;
        return [
          ...line({ what: `${placement}: first VM on a host`, samples: first, yardstick, mostMs }),
          ...line({ what: `${placement}: of that, the agent's work`, samples: agent }),
          ...line({ what: `${placement}: another VM there`, samples: other, yardstick, mostMs }),
        ];
      }),
      ...line({ what: 'vm: first VM on a host', samples: first, yardstick }),
      ...line({ what: 'vm: of that, its boot', samples: boot, mostMs: MACHINE.bootMs }),
    ];
  },
};
