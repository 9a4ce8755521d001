/** Virtual machines that agents run, of every kind: they come, serve and use load balancers, and go without a trace. */
import { execFile } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { createCgroups } from '../../src/agent/drivers/cgroup.ts';
import type { VmJson } from '../../src/api/resources.ts';
import { kill, pidsIn } from '../../src/lab/process.ts';
import { sandboxNames } from '../../src/lab/sandboxes.ts';
import { namespaces } from '../../src/lab/wiring.ts';
import { VIRTUAL_MACHINE_KINDS, type VirtualMachineKind } from '../../src/model/types.ts';
import { CONTAINER_PROGRAMS, containerImage } from '../support/container-image.ts';
import { remains } from '../support/lab.ts';
import { holdsLaw } from '../support/law.ts';
import { missingForSystem, requireSystem } from '../support/requirements.ts';
import { addressesOf, BLUE, balancing, membersAt, VIPS, vmAt } from '../support/site.ts';
import { NO_TRACES, tracesOf } from '../support/traces.ts';
import { until } from '../support/until.ts';
import { IMAGES_TIMEOUT_MS, VM_IMAGES, VM_PROGRAMS, vmImages } from '../support/vm-images.ts';
import { World } from '../support/world.ts';

interface Server {
  readonly name: string;
  readonly kind: VirtualMachineKind;
  readonly host: string;
  /** Last of its addresses. */
  readonly number: number;
}

const SERVERS: readonly Server[] = [
  { name: 's1', kind: 'namespace', host: 'h1', number: 21 },
  { name: 's2', kind: 'container', host: 'h2', number: 22 },
  { name: 's3', kind: 'vm', host: 'h2', number: 23 },
];
const NEEDS: Readonly<Record<VirtualMachineKind, readonly string[]>> = {
  namespace: [],
  container: CONTAINER_PROGRAMS,
  vm: VM_PROGRAMS,
};
const SILENT = '10.0.0.150';
/** An emulated machine on a busy one. */
const BOOT_MS = 150_000;

describe('virtual machines without a cloud manager', function () {
  this.timeout(BOOT_MS + 30_000);
  const world = new World({
    part: 'vm',
    controller: ['--linger', '0.5'],
    agent: ['--vm-images', VM_IMAGES],
    topology: {
      hosts: [{ name: 'h1' }, { name: 'h2' }],
      networks: [BLUE, { name: 'red', vlan: 7, subnets: ['10.0.7.0/24'], balancer_range: '10.0.7.240-10.0.7.250' }],
      vms: [vmAt('c1', 'h1', 11)],
    },
  });
  const kinds = VIRTUAL_MACHINE_KINDS.filter((kind) => missingForSystem(NEEDS[kind]).length === 0);
  const servers = SERVERS.filter(({ kind }) => kinds.includes(kind));
  /** Clients in which commands can be run. */
  const clients = [
    { name: 'n1', kind: 'namespace', host: 'h2' },
    { name: 'k1', kind: 'container', host: 'h1' },
  ].filter(({ kind }) => (kinds as readonly string[]).includes(kind));

  before(async function () {
    this.timeout(IMAGES_TIMEOUT_MS + 60_000);
    requireSystem(this, ['haproxy', 'curl', 'python3']);
    for (const kind of VIRTUAL_MACHINE_KINDS) {
      const missing = missingForSystem(NEEDS[kind]).join(', ');
      if (missing !== '') process.stdout.write(`    skipped: kind ${kind} needs ${missing}\n`);
    }
    if (kinds.includes('container')) await containerImage();
    if (kinds.includes('vm')) await vmImages();
    await world.up();
  });
  after(() => world.down());
  afterEach(async () => {
    await holdsLaw(world);
    expect(world.restarts()).to.equal(0);
  });

  const cli = async (...words: string[]): Promise<string> => {
    const { code, stdout, stderr } = await world.cli(...words);
    expect([code, stderr], words.join(' ')).to.deep.equal([0, '']);
    return stdout;
  };
  const wait = ['--wait', '--timeout', `${BOOT_MS / 1000}`];
  const create = async (name: string, host: string, ...more: string[]): Promise<VmJson> => {
    const network = more.includes('--network') ? [] : ['--network', 'blue'];
    return JSON.parse(await cli('vm', 'create', name, '--host', host, ...network, ...more, '-o', 'json'));
  };
  const vm = async (name: string): Promise<VmJson> => (await world.get<{ vm: VmJson }>(`/v1/vms/${name}`)).vm;
  const fetched = async (client: string, address: string, port = 80): Promise<string> => {
    const url = `http://${address.includes(':') ? `[${address}]` : address}:${port}/`;
    const { stdout } = await world.lab.exec(client, ['curl', '-s', '-g', '-m', '3', url]);
    return stdout.trim();
  };
  const serves = (name: string, address: string): Promise<unknown> =>
    until(async () => (await fetched('c1', address)) === name, { what: `${name} at ${address}`, withinMs: BOOT_MS });
  /** Processes of a machine that has a namespace here. */
  const pidsOf = async (name: string): Promise<number[]> => {
    const { file, args } = world.lab.command(name, ['true']);
    const namespace = /\/run\/netns\/(.*)$/.exec(
      [file, ...args].find((word) => word.includes('/run/netns/')) ?? '',
    )![1]!;
    return pidsIn([namespace]);
  };
  const permanent = async (name: string): Promise<string[]> =>
    (await world.sh(name, 'ip', 'neigh', 'show', 'nud', 'permanent')).split('\n').filter((line) => line !== '');

  async function isClean(host: string): Promise<void> {
    let left = '';
    const look = async (): Promise<boolean> => {
      const traces = await tracesOf(world, host);
      const taps = (await world.sh(host, 'ip', '-o', 'link', 'show', 'type', 'tun')).match(/hlb[^:@]*/g) ?? [];
      const ours = await containersOf(world.lab.paths.dir);
      left = JSON.stringify({ traces, taps, ours });
      return left === JSON.stringify({ traces: NO_TRACES, taps: [], ours: [] });
    };
    await until(look, { what: () => `nothing is left on ${host}: ${left}` });
  }

  it('of every kind are made, and are one list with the others', async () => {
    const made = async ({ name, kind, host, number }: Server): Promise<string> => {
      const startMs = performance.now();
      const addresses = addressesOf(number).flatMap((address) => ['--address', address]);
      await create(name, host, '--kind', kind, '--serve', '80', ...addresses, ...wait);
      return `${kind} ${((performance.now() - startMs) / 1000).toFixed(1)} s`;
    };
    const times = await Promise.all(servers.map(made));
    process.stdout.write(`    made: ${times.join(', ')}\n`);
    const list = (await world.vmList()).map(({ name, iface_id: id, kind, state }) => [name || id, kind, state]).sort();
    expect(list).to.deep.equal([['c1', null, 'client'], ...servers.map(({ name, kind }) => [name, kind, 'client'])]);
    for (const { name, number } of servers) {
      for (const address of addressesOf(number)) expect(await fetched('c1', address), address).to.equal(name);
    }
  });

  it('have a port that any controller takes for a VM’s', async () => {
    for (const { name, host } of servers) {
      const { iface_id: id, mac } = await vm(name);
      const find = ['--bare', '--columns=external_ids', 'find', 'Interface', `external_ids:iface-id=${id}`];
      const ids = (await world.sh(host, 'ovs-vsctl', ...find)).trim().split(' ').sort();
      expect(ids).to.deep.equal(
        [`attached-mac=${mac}`, `hostlb-host=${host}`, `hostlb-vm=${name}`, `iface-id=${id}`, `vm-id=${id}`].sort(),
      );
    }
  });

  for (const [placement, algorithm] of [
    ['switch', 'SOURCE_IP_PORT'],
    ['namespace', 'ROUND_ROBIN'],
  ] as const) {
    it(`are clients and members of a load balancer in placement ${placement}`, async () => {
      if (placement === 'switch')
        await Promise.all(clients.map(({ name, kind, host }) => create(name, host, '--kind', kind, ...wait)));
      await world.apply(balancing('web', membersAt(servers.map(({ number }) => number)), { placement, algorithm }));
      for (const client of ['c1', ...clients.map(({ name }) => name)]) {
        for (const address of VIPS) {
          const seen = new Set<string>();
          const all = async (): Promise<boolean> => {
            seen.add(await fetched(client, address));
            return servers.every(({ name }) => seen.has(name));
          };
          await until(all, {
            what: () => `${client} at ${address} is served by all; so far by ${[...seen]}`,
          });
          expect([...seen].sort(), client).to.deep.equal(servers.map(({ name }) => name));
        }
        if (client !== 'c1') expect((await vm(client)).client_of).to.deep.equal(['web']);
      }
      await world.remove('web');
    });
  }

  it('know the MACs of load balancers that answer no lookups, as long as there are any', async () => {
    await world.apply(balancing('silent', membersAt([21]), { vips: [SILENT], lookup_mode: 'static' }));
    for (const { name } of clients) {
      await until(async () => (await permanent(name)).length === 1, { what: `${name} has an entry` });
      await until(async () => (await fetched(name, SILENT)) === 's1', { what: `${name} is served at ${SILENT}` });
    }
    // A VM of the lab is told when it is made, and c1 was made before.
    await world.addVm(vmAt('c3', 'h2', 13));
    expect(await fetched('c3', SILENT)).to.equal('s1');
    expect(await fetched('c1', SILENT)).to.equal('');
    const [{ mac }] = JSON.parse(await cli('vm', 'neighbours', 'c1', '-o', 'json'));
    expect(await permanent('c3')).to.deep.equal([`${SILENT} dev eth0 lladdr ${mac} PERMANENT `]);
    await world.remove('silent');
    for (const { name } of clients) {
      await until(async () => (await permanent(name)).length === 0, { what: `${name} has no entry` });
    }
    await world.removeVm('c3');
  });

  it('of other owners and networks keep apart', async () => {
    const red = ['--network', 'red', '--owner', 'acme', ...wait];
    const [r1, r2] = await Promise.all([create('r1', 'h1', ...red), create('r2', 'h2', '--serve', '8080', ...red)]);
    expect(await fetched('r1', r2.addresses[0]!, 8080)).to.equal('r2');
    expect(await fetched('c1', r2.addresses[0]!, 8080)).to.equal('');
    expect(r1.owner).to.equal('acme');
    const [web] = balancing('of-others', [{ address: r2.addresses[0]!, protocol_port: 8080 }], {
      network: 'red',
      vips: ['10.0.7.100'],
      owner: 'others',
    }).load_balancers!;
    await world.apply({ load_balancers: [{ ...web!, name: 'of-acme', vips: ['10.0.7.101'], owner: 'acme' }, web!] });
    expect((await vm('r1')).client_of).to.deep.equal(['of-acme']);
    await until(async () => (await fetched('r1', '10.0.7.101')) === 'r2', {
      what: 'r1 is served by that of its owner',
    });
    expect(await fetched('r1', '10.0.7.100')).to.equal('');
    await Promise.all(['of-acme', 'of-others'].map((name) => world.remove(name)));
  });

  it('are as many as the owner may have', async () => {
    await cli('quota', 'set', 'acme', '--vms', '2');
    const third = ['vm', 'create', 'r3', '--host', 'h1', '--network', 'red', '--owner', 'acme'];
    const { code, stderr } = await world.cli(...third);
    expect([code, stderr]).to.deep.equal([1, 'hostlb: Quota has been met for resources: Virtual Machine\n']);
    await cli('vm', 'delete', 'r1', ...wait);
    await cli(...third, ...wait);
    await Promise.all(['r2', 'r3'].map((name) => cli('vm', 'delete', name, ...wait)));
  });

  it('go on while their agent is killed and comes back', async () => {
    const local = servers.filter(({ kind }) => kind !== 'vm').map(({ name }) => name);
    const pids = await Promise.all(local.map(pidsOf));
    for (const host of world.hosts) await world.lab.stopAgent(host, { force: true });
    for (const { name, number } of servers) expect(await fetched('c1', addressesOf(number)[0])).to.equal(name);
    // What happens meanwhile is made up for.
    await create('late', 'h1', '--address', '10.0.0.31', '--serve', '80');
    for (const { name } of clients) await cli('vm', 'delete', name);
    for (const host of world.hosts) world.lab.startAgent(host);
    await serves('late', '10.0.0.31');
    await cli('vm', 'delete', 'late', ...wait);
    await until(async () => (await world.vmList()).every(({ state }) => state === 'client'), {
      what: 'all are served',
    });
    expect(
      (await world.vmList())
        .map(({ name }) => name)
        .filter(Boolean)
        .sort(),
    ).to.deep.equal(servers.map(({ name }) => name));
    expect(await Promise.all(local.map(pidsOf))).to.deep.equal(pids);
    for (const { name, number } of servers) expect(await fetched('c1', addressesOf(number)[1])).to.equal(name);
  });

  it('serve again after what serves in them was killed', async () => {
    for (const { name, number } of servers.filter(({ kind }) => kind !== 'vm')) {
      const before = await pidsOf(name);
      await kill(before);
      await serves(name, addressesOf(number)[0]);
      await until(async () => (await vm(name)).state === 'client', { what: `${name} is well` });
      expect((await pidsOf(name)).some((pid) => before.includes(pid))).to.equal(false);
    }
  });

  it('go without a trace', async () => {
    await Promise.all(servers.map(({ name }) => cli('vm', 'delete', name, ...wait)));
    expect((await world.vmList()).map(({ iface_id: id }) => id)).to.deep.equal(['c1']);
    for (const host of world.hosts) await isClean(host);
  });

  for (const [i, kind] of kinds.entries()) {
    // How far it got by then is chance: the ends must be the same.
    for (const [j, pauseMs] of [0, 300].entries()) {
      const address = `10.0.0.${41 + 10 * i + j}`;
      const createAndKill = async (name: string): Promise<void> => {
        await create(name, 'h1', '--kind', kind, '--address', address, '--serve', '80');
        await delay(pauseMs);
        await world.lab.stopAgent('h1', { force: true });
      };

      it(`of kind ${kind} are finished after an agent that was killed at it after ${pauseMs} ms`, async () => {
        await createAndKill('x');
        world.lab.startAgent('h1');
        await serves('x', address);
        await cli('vm', 'delete', 'x', ...wait);
        await isClean('h1');
      });

      it(`of kind ${kind} are removed after an agent that was killed at it after ${pauseMs} ms`, async () => {
        await createAndKill('y');
        await cli('vm', 'delete', 'y');
        world.lab.startAgent('h1');
        await isClean('h1');
      });
    }
  }
});

describe('a lab with virtual machines of agents', function () {
  this.timeout(BOOT_MS + 60_000);
  const world = new World({
    part: 'vd',
    agent: ['--vm-images', VM_IMAGES],
    topology: { hosts: [{ name: 'h1' }], networks: [BLUE], vms: [] },
  });
  const kinds = VIRTUAL_MACHINE_KINDS.filter((kind) => missingForSystem(NEEDS[kind]).length === 0);

  before(async function () {
    requireSystem(this, ['haproxy']);
    await world.up();
  });
  after(() => world.down());

  it('takes all of them along when it goes down, also after a crash', async () => {
    const { lab } = world;
    const create = async (kind: VirtualMachineKind): Promise<void> => {
      const words = ['--host', 'h1', '--network', 'blue', '--kind', kind, '--memory', '128', '--serve', '80', '--wait'];
      const { code, stderr } = await world.cli('vm', 'create', kind, ...words, '--timeout', `${BOOT_MS / 1000}`);
      expect([code, stderr]).to.deep.equal([0, '']);
    };
    await Promise.all(kinds.map(create));
    const names = sandboxNames(lab.paths);
    expect(names.size).to.equal(kinds.length);
    const left = async (): Promise<string[]> => [
      ...(await remains(lab)),
      ...(await containersOf(lab.paths.dir)),
      ...namespaces().filter((name) => [...names].some((one) => name.endsWith(one.slice(one.indexOf('-'))))),
      ...createCgroups()
        .names()
        .filter((name) => names.has(name)),
    ];
    // Each kind of trace is looked for where it is: otherwise its absence means nothing.
    expect((await left()).length).to.be.greaterThan(kinds.length);
    await lab.stopAgent('h1', { force: true });
    await lab.stopController({ force: true });
    expect(await lab.down()).to.equal(true);
    expect(await left()).to.deep.equal([]);
  });
});

/** Containers with files below a folder. */
async function containersOf(dir: string): Promise<string[]> {
  if (missingForSystem(['podman']).length > 0) return [];
  const { stdout } = await promisify(execFile)('podman', ['ps', '-a', '--format', '{{.Names}} {{.Mounts}}']);
  return stdout.split('\n').filter((line) => line.includes(`${dir}/`));
}
