/** The lab itself, on real Open vSwitch: what everything else is tested on must be right first. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { createLab, DEFAULT_TOPOLOGY, type Lab, parseTopology, readTopology } from '../../src/lab/index.ts';
import { pidsUsing } from '../../src/lab/process.ts';
import { namespaces } from '../../src/lab/wiring.ts';
import { killAll } from '../support/kill.ts';
import { failure, fetched, labName, reaches, remains } from '../support/lab.ts';
import { requireSystem } from '../support/requirements.ts';
import { until } from '../support/until.ts';

const NAME = labName('');

const fdb = async (lab: Lab, host: string): Promise<string> =>
  (await lab.exec(host, ['ovs-appctl', 'fdb/show', 'br-int'])).stdout;

/** The port through which a host's switch sends to a MAC. */
async function portToward(lab: Lab, host: string, mac: string): Promise<string> {
  const number = new RegExp(`^\\s*(\\S+)\\s+\\d+\\s+${mac}`, 'm').exec(await fdb(lab, host))?.[1];
  const { stdout } = await lab.exec(host, [
    'ovs-vsctl',
    '--bare',
    '--columns=name',
    'find',
    'Interface',
    `ofport=${number}`,
  ]);
  return stdout.trim();
}

/** What a VM knows of its neighbours: `ADDRESS MAC`. */
async function neighbours(lab: Lab, vm: string): Promise<string[]> {
  const { stdout } = await lab.exec(vm, ['ip', '-o', 'neigh', 'show', 'dev', 'eth0']);
  return [...stdout.matchAll(/^(\S+) .*lladdr (\S+)/gm)].map(([, address, mac]) => `${address} ${mac}`);
}

describe('lab on Open vSwitch', () => {
  const lab = createLab({ name: NAME });
  const topology = parseTopology({
    hosts: [{ name: 'h1' }, { name: 'h2' }],
    networks: [
      { name: 'blue', vlan: 0, subnets: ['10.0.0.0/24', 'fd00::/64'], balancer_range: '10.0.0.240-10.0.0.250' },
      { name: 'red', vlan: 7, subnets: ['10.0.0.0/24', 'fd00::/64'] },
    ],
    vms: [
      { name: 'c1', host: 'h1', ips: ['10.0.0.11', 'fd00::11'] },
      { name: 's1', host: 'h1', ips: ['10.0.0.21', 'fd00::21'], serve: 80 },
      { name: 's2', host: 'h2', ips: ['10.0.0.22', 'fd00::22'], serve: 80, owner: 'alice' },
      { name: 'r1', host: 'h1', network: 'red', ips: ['10.0.0.31', 'fd00::31'] },
      { name: 'r2', host: 'h2', network: 'red', ips: ['10.0.0.32', 'fd00::32'] },
    ],
  });

  before(async function () {
    requireSystem(this, ['ping', 'curl']);
    await lab.up({ topology, bare: true });
  });
  after(() => lab.down());

  it('reports hosts and VMs, without controller when bare', () => {
    const { hosts, vms, controller } = lab.status();
    expect(hosts.map(({ name, state, restarts, agent }) => ({ name, state, restarts, agent }))).to.deep.equal([
      { name: 'h1', state: 'up', restarts: 0, agent: undefined },
      { name: 'h2', state: 'up', restarts: 0, agent: undefined },
    ]);
    expect(vms.map(({ name, state }) => `${name} ${state}`)).to.deep.equal([
      'c1 up',
      's1 up',
      's2 up',
      'r1 up',
      'r2 up',
    ]);
    expect(controller).to.equal(undefined);
  });

  it('refuses to come up twice, and leaves the first alone', async () => {
    expect(await failure(lab.up({ topology, bare: true }))).to.match(/^already_up: .*hostlb lab down/);
    expect(await reaches(lab, 'c1', '10.0.0.22')).to.equal(true);
  });

  for (const address of ['10.0.0.21', 'fd00::21', '10.0.0.22', 'fd00::22']) {
    it(`c1 reaches ${address}`, async () => {
      expect(await reaches(lab, 'c1', address)).to.equal(true);
    });
  }

  it('networks of different VLANs do not meet, within a host and across', async () => {
    const reached = (vm: string, addresses: string[]): Promise<boolean[]> =>
      Promise.all(addresses.map((address) => reaches(lab, vm, address)));
    expect(await reached('r1', ['10.0.0.32', 'fd00::32'])).to.deep.equal([true, true]);
    expect(await reached('r1', ['10.0.0.11', 'fd00::11', '10.0.0.22', 'fd00::22'])).to.deep.equal([
      false,
      false,
      false,
      false,
    ]);
    expect(await reached('c1', ['10.0.0.31', 'fd00::31', '10.0.0.32'])).to.deep.equal([false, false, false]);
  });

  it('servers answer their own name over IPv4 and IPv6', async () => {
    const answers = ['10.0.0.21', '[fd00::21]', '10.0.0.22', '[fd00::22]'].map((address) =>
      fetched(lab, 'c1', address),
    );
    expect(await Promise.all(answers)).to.deep.equal(['s1\n', 's1\n', 's2\n', 's2\n']);
  });

  it('a large transfer arrives whole: checksums are right without offloads', async () => {
    const receiver = lab.exec('s2', [process.execPath, '-e', SINK]);
    const sender = await lab.exec('c1', [process.execPath, '-e', SOURCE, '10.0.0.22']);
    expect(sender.exitCode, sender.stderr).to.equal(0);
    expect((await receiver).stdout).to.equal(`${8 << 20}`);
  });

  it('describes its ports as a hypervisor does', async () => {
    const { mac, port } = lab.status().vms.find(({ name }) => name === 's2')!;
    const get = async (column: string): Promise<string> =>
      (await lab.exec('h2', ['ovs-vsctl', 'get', 'Interface', port, column])).stdout.trim();
    expect(await get('external_ids:iface-id')).to.equal('s2');
    expect(await get('external_ids:attached-mac')).to.equal(`"${mac}"`);
    expect(await get('external_ids:vm-id')).to.match(/^"?[0-9a-f-]{36}"?$/);
    expect(await get('external_ids:hostlb-owner')).to.equal('alice');
    expect((await lab.exec('s2', ['ip', '-o', 'link', 'show', 'eth0'])).stdout).to.include(`link/ether ${mac} `);
  });

  it('adds VMs at once, each with the next free addresses, and removes them', async () => {
    const added = await Promise.all(['x1', 'x2', 'x3'].map((name) => lab.addVm({ name, host: 'h2' })));
    expect(added.flatMap(({ ips }) => ips).sort()).to.deep.equal([
      '10.0.0.12',
      '10.0.0.13',
      '10.0.0.14',
      'fd00::12',
      'fd00::13',
      'fd00::14',
    ]);
    expect(await reaches(lab, 'x3', 'fd00::11')).to.equal(true);
    const server = await lab.addVm({ name: 'x4', host: 'h1', serve: 8080 });
    expect(await fetched(lab, 's2', `${server.ips[0]}:8080`)).to.equal('x4\n');
    await Promise.all(['x1', 'x2', 'x3', 'x4'].map((name) => lab.removeVm(name)));
    expect(namespaces().filter((name) => name.startsWith(`${NAME}-vm-x`))).to.deep.equal([]);
    const again = await lab.addVm({ name: 'x4', host: 'h1' });
    expect(again.mac).to.equal(server.mac);
    await lab.removeVm('x4');
  });

  it('refuses what cannot be, and leaves nothing of it', async () => {
    expect(await failure(lab.addVm({ name: 'c1', host: 'h2' }))).to.match(/^exists: VM c1/);
    expect(await failure(lab.addVm({ name: 'h2', host: 'h1' }))).to.match(/^exists: VM h2/);
    expect(await failure(lab.addVm({ name: 'y', host: 'h9' }))).to.match(/^not_found: no host "h9".*h1, h2/);
    expect(await failure(lab.addVm({ name: 'y', host: 'h1', network: 'green' }))).to.match(
      /^not_found: no network "green"/,
    );
    expect(await failure(lab.addVm({ name: 'y', host: 'h1', ips: ['10.0.0.11'] }))).to.match(
      /^bad_address: .*VM c1 has it/,
    );
    expect(await failure(lab.moveVm('nobody', 'h1'))).to.match(/^not_found: no VM "nobody"/);
    expect(await failure(lab.moveVm('c1', 'h1'))).to.match(/^wrong_state: VM c1: is on host h1 already/);
    expect(lab.status().vms.map(({ name }) => name)).to.not.include('y');
    expect(namespaces()).to.not.include(`${NAME}-vm-y`);
  });

  it('moves a VM: MAC, addresses, neighbours and an open connection go on, and all switches know at once', async () => {
    const mover = await lab.addVm({ name: 'mover', host: 'h1', serve: 80 });
    const connection = await openConnection(lab, 'c1', mover.ips[0]!);
    expect(await connection.ask()).to.include('mover');
    const known = await neighbours(lab, 'mover');
    expect(known).to.include.members([`10.0.0.11 ${lab.status().vms.find(({ name }) => name === 'c1')!.mac}`]);
    const { gapMs, ...moved } = await lab.moveVm('mover', 'h2');
    expect(moved).to.deep.equal({ ...mover, host: 'h2' });
    expect(gapMs).to.be.a('number');
    expect(await neighbours(lab, 'mover')).to.include.members(known);
    expect(await portToward(lab, 'h1', mover.mac)).to.equal('uplink');
    expect(await portToward(lab, 'h2', mover.mac)).to.equal('vm-mover');
    expect(await connection.ask()).to.include('mover');
    await lab.moveVm('mover', 'h1');
    expect(await connection.ask()).to.include('mover');
    // A switch that has a fast path for the announcement learns from it a little later; until then it floods.
    await until(async () => (await portToward(lab, 'h2', mover.mac)) === 'uplink', { what: 'h2 sends to its uplink' });
    await connection.close();
    await lab.removeVm('mover');
  });

  it('a stopped host is silent, the others go on; started, it is as before', async () => {
    await lab.stopHost('h2');
    expect(lab.status().hosts.map(({ state }) => state)).to.deep.equal(['up', 'stopped']);
    expect(await reaches(lab, 'c1', '10.0.0.22')).to.equal(false);
    expect(await reaches(lab, 'c1', '10.0.0.21')).to.equal(true);
    expect(await failure(lab.addVm({ name: 'y', host: 'h2' }))).to.match(/^wrong_state: host h2 is stopped/);
    await lab.startHost('h2');
    expect(lab.status().hosts.map(({ state }) => state)).to.deep.equal(['up', 'up']);
    expect(await reaches(lab, 'c1', '10.0.0.22')).to.equal(true);
    expect(await reaches(lab, 'r1', 'fd00::32')).to.equal(true);
  });

  it('VMs leave a stopped host, which forgets them when it starts', async () => {
    const [gone, saved] = [
      await lab.addVm({ name: 'gone', host: 'h2' }),
      await lab.addVm({ name: 'saved', host: 'h2' }),
    ];
    await lab.stopHost('h2');
    await lab.removeVm(gone.name);
    await lab.moveVm(saved.name, 'h1');
    expect(await reaches(lab, 'c1', saved.ips[0]!)).to.equal(true);
    await lab.startHost('h2');
    const { stdout } = await lab.exec('h2', ['ovs-vsctl', 'list-ports', 'br-int']);
    expect(stdout.trim().split('\n').sort()).to.deep.equal(['uplink', 'vm-r2', 'vm-s2']);
    await lab.removeVm(saved.name);
  });

  it('kills one process of a host alone, and counts crashes that the monitor repairs', async () => {
    await lab.stopHost('h2', { parts: ['ovs-vswitchd'] });
    expect(lab.status().hosts[1]!.state).to.equal('degraded');
    await lab.startHost('h2');
    const { vswitchd } = lab.host('h2').pids();
    process.kill(vswitchd!, 'SIGSEGV');
    await lab.exec('h2', [
      'sh',
      '-c',
      `while [ "$(cat ${lab.paths.host('h2')}/ovs-vswitchd.pid)" = ${vswitchd} ]; do sleep 0.02; done`,
    ]);
    expect(lab.host('h2').restarts()).to.equal(1);
    await lab.startHost('h2');
    expect(await reaches(lab, 'c1', '10.0.0.22')).to.equal(true);
  });

  it('runs commands with input, and hands back their exit code', async () => {
    expect(await lab.exec('c1', ['sh', '-c', 'cat; exit 7'], { input: 'hello' })).to.deep.equal({
      exitCode: 7,
      stdout: 'hello',
      stderr: '',
    });
    expect(await lab.exec('c1', ['sh', '-c', 'kill -9 $$'])).to.include({ exitCode: 137 });
    expect((await lab.exec('h1', ['ovs-vsctl', 'br-exists', 'br-int'])).exitCode).to.equal(0);
  });

  it('labs side by side do not disturb each other', async () => {
    const other = createLab({ name: labName('b') });
    await other.up({ topology, bare: true });
    try {
      await other.removeVm('s2');
      expect(await reaches(other, 'c1', '10.0.0.22')).to.equal(false);
      expect(await reaches(lab, 'c1', '10.0.0.22')).to.equal(true);
    } finally {
      await other.down();
    }
    expect(await remains(other)).to.deep.equal([]);
    expect(await reaches(lab, 'c1', '10.0.0.22')).to.equal(true);
  });

  it('removes everything, also after all its processes were killed, and what was plugged into it', async () => {
    const plugged = `${NAME}-extra`;
    const extra = [`netns add ${plugged}`, `link add extra netns ${NAME}-h1 type veth peer name eth0 netns ${plugged}`];
    for (const line of extra) await promisify(execFile)('ip', line.split(' '));
    killAll(pidsUsing(lab.paths.dir));
    expect(await lab.down()).to.equal(true);
    expect(await remains(lab)).to.deep.equal([]);
    expect(await lab.down()).to.equal(false);
    expect(await failure(lab.addVm({ name: 'y', host: 'h1' }))).to.match(/^not_up: /);
  });
});

/** Counts what one connection brings. */
const SINK = `require('net').createServer((socket) => {
  let bytes = 0;
  socket.on('data', (data) => { bytes += data.length; });
  socket.on('end', () => process.stdout.write(String(bytes), () => process.exit()));
}).listen(9000, '0.0.0.0')`;

/** Sends 8 MiB as soon as somebody listens. */
const SOURCE = `const connect = () => {
  const socket = require('net').connect(9000, process.argv[1], () => socket.end(Buffer.alloc(8 << 20)));
  socket.on('error', () => setTimeout(connect, 20));
};
connect()`;

/** A client in a VM that sends one request on one connection for every line it gets, and prints the body. */
const CLIENT = `const http = require('http');
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
let first = true;
require('readline').createInterface({ input: process.stdin }).on('line', () => {
  const request = http.get({ host: process.argv[1], agent }, (response) => response.on('data', (data) => {
    process.stdout.write((first || request.reusedSocket ? '' : 'NEW CONNECTION ') + data);
    first = false;
  }));
  request.on('error', (error) => process.stdout.write('ERROR ' + error.message + '\\n'));
})`;

interface Connection {
  ask(): Promise<string>;
  close(): Promise<void>;
}

async function openConnection(lab: Lab, vm: string, address: string): Promise<Connection> {
  const { file, args } = lab.command(vm, [process.execPath, '-e', CLIENT, address]);
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  return {
    ask: async () => {
      child.stdin.write('\n');
      const [answer] = (await once(child.stdout, 'data')) as [Buffer];
      const text = answer.toString();
      if (/NEW CONNECTION|ERROR/.test(text)) throw new Error(text);
      return text;
    },
    close: async () => {
      child.stdin.end();
      child.kill();
      await once(child, 'exit');
    },
  };
}

describe('default lab', () => {
  const lab = createLab({ name: labName('f') });
  before(function () {
    requireSystem(this, ['curl']);
  });
  after(() => lab.down());

  it('comes up with every server answering every client', async () => {
    await lab.up({ topology: await readTopology(DEFAULT_TOPOLOGY), bare: true });
    const ask = (client: string) =>
      Promise.all(
        ['10.0.0.21', '[fd00::22]', '10.0.0.23', '[fd00::24]'].map((address) => fetched(lab, client, address)),
      );
    const answers = await Promise.all(['c1', 'c2', 'c3'].map(ask));
    expect(answers).to.deep.equal(Array(3).fill(['s1\n', 's2\n', 's3\n', 's4\n']));
  });
});
