/** Bad input and bad surroundings: a clear error that names the object, and the others unharmed. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { expect } from 'chai';
import { holdsLaw } from '../support/law.ts';
import { requireSystem } from '../support/requirements.ts';
import { addressesOf, BLUE, balancing, membersAt, VIPS, vmAt } from '../support/site.ts';
import { until } from '../support/until.ts';
import { World } from '../support/world.ts';

describe('bad input', () => {
  const world = new World({
    part: 'bi',
    topology: {
      hosts: [{ name: 'h1' }, { name: 'h2' }],
      networks: [BLUE],
      vms: [vmAt('c1', 'h1', 11), vmAt('c2', 'h2', 12), vmAt('s1', 'h1', 21)],
    },
  });
  const servers: Server[] = [];
  const sockets = new Set<Socket>();
  const LOAD = { endpoints: VIPS.map((address) => ({ address })), perSecond: 20 };

  before(async function () {
    requireSystem(this);
    await world.up();
    await Promise.all([world.serve(['s1']), world.apply(balancing('web', membersAt([21])))]);
    await world.vm('c1').run('load', LOAD);
  });
  after(async () => {
    for (const socket of sockets) socket.destroy();
    for (const server of servers) server.close();
    await world.down();
  });
  afterEach(async () => {
    // c1 has had traffic all the time.
    const { failures, answers } = await world.vm('c1').run('unload');
    expect(failures).to.deep.equal([]);
    expect(Object.keys(answers)).to.deep.equal(['s1']);
    await world.vm('c1').run('load', LOAD);
    await holdsLaw(world, ['h1']);
    expect(world.restarts()).to.equal(0);
  });

  /** A command line that must fail with one line on stderr. */
  async function refused(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await world.cli(...args);
    expect([code, stdout], stderr).to.deep.equal([1, '']);
    expect(stderr.trim().split('\n')).to.have.length(1);
    return stderr;
  }
  const hostRow = async (name: string) => (await world.hostList()).find((host) => host.name === name)!;
  /** What the host list says about a host, as soon as it says something of this kind. */
  const reported = (name: string, wanted: RegExp): Promise<string> => {
    let said = '';
    return until(
      async () => {
        const { status, error } = await hostRow(name);
        said = `${status}: ${error}`;
        return wanted.test(said) && said;
      },
      { what: () => `host ${name} is reported as ${wanted}; now ${said}` },
    );
  };
  async function forget(name: string): Promise<void> {
    expect((await world.cli('host', 'delete', name)).code).to.equal(0);
  }
  /** Something that listens but is no Open vSwitch. */
  async function impostor(greet: (socket: Socket) => void): Promise<string> {
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
      greet(socket);
    });
    servers.push(server.listen(0, '127.0.0.1'));
    await once(server, 'listening');
    return `tcp:127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  const vip = (...addresses: readonly string[]) => addresses.flatMap((address) => ['--vip', address]);

  for (const outside of ['192.0.2.1', 'fd01::1']) {
    it(`refuses the VIP ${outside} outside its network`, async () => {
      const said = await refused('lb', 'create', '--name', 'far', '--network', 'blue', ...vip(outside));
      expect(said).to.include(outside).and.include('blue');
    });
  }

  for (const [taken, other] of [VIPS, [...VIPS].reverse()] as [string, string][]) {
    it(`refuses the VIP ${taken} that another load balancer has, ${other} left aside`, async () => {
      const said = await refused('lb', 'create', '--name', 'second', '--network', 'blue', ...vip(taken));
      expect(said).to.include(taken).and.include('web');
    });
  }

  it('refuses what a placement cannot do, and says which one can', async () => {
    const create = ['lb', 'create', '--name', 'third', '--network', 'blue', ...vip('10.0.0.103', 'fd00::103')];
    expect((await world.cli(...create, '--placement', 'switch')).code).to.equal(0);
    const said = await refused(
      'pool',
      'create',
      '--lb',
      'third',
      '--name',
      'p',
      '--algorithm',
      'SOURCE_IP',
      '--protocol',
      'PROXY',
    );
    expect(said).to.include('PROXY').and.include('namespace');
    await world.remove('third');
  });

  it('a file with a fault changes nothing and names the place', async () => {
    const document = balancing('fourth', [{ address: '10.0.0.21', protocol_port: 70_000 }]);
    const error = await world.client.request('PUT', '/v1/apply', document).catch((cause: Error) => cause);
    expect(error).to.be.instanceOf(Error);
    expect((error as Error).message).to.match(/load_balancers\[0\]\.listeners\[0\]\.default_pool\.members\[0\]/);
  });

  it('a bridge that forbids OpenFlow 1.5 is named, with what to do, and kept as soon as that is done', async () => {
    await world.sh(
      'h2',
      'ovs-vsctl',
      'add-br',
      'br-old',
      '--',
      'set',
      'bridge',
      'br-old',
      'protocols=OpenFlow13',
      'datapath_type=netdev',
    );
    expect((await world.cli('host', 'add', 'old', (await hostRow('h2')).remote, '--bridge', 'br-old')).code).to.equal(
      0,
    );
    const said = await reported('old', /^error: ./);
    expect(said)
      .to.include('bridge br-old of host old')
      .and.include('ovs-vsctl add bridge br-old protocols OpenFlow15');
    expect((await world.cli('host', 'list')).stdout).to.match(/old .*error/);
    expect((await world.cli('status')).stdout).to.include('host old: bridge br-old');
    const waited = await world.cli('vm', 'register', 'x', '--owner', 'o', '--wait', '--timeout', '0.2');
    expect([waited.code, waited.stdout]).to.deep.equal([1, '']);
    expect(waited.stderr).to.include('old (bridge br-old').and.not.include('h1');
    await world.sh('h2', 'ovs-vsctl', 'add', 'bridge', 'br-old', 'protocols', 'OpenFlow15');
    await reported('old', /^connected: $/);
    await forget('old');
    await until(async () => (await world.sh('h2', 'ovs-vsctl', 'get-controller', 'br-old')) === '', {
      what: 'nothing of ours on br-old',
    });
    await world.sh('h2', 'ovs-vsctl', 'del-br', 'br-old');
    expect((await world.cli('vm', 'unregister', 'x')).code).to.equal(0);
  });

  it('a bridge that is missing is named, and kept as soon as it is there', async () => {
    expect((await world.cli('host', 'add', 'bare', (await hostRow('h2')).remote, '--bridge', 'br-no')).code).to.equal(
      0,
    );
    expect(await reported('bare', /^error: ./)).to.include(
      'host bare has no bridge br-no: create it with ovs-vsctl add-br br-no',
    );
    await world.sh('h2', 'ovs-vsctl', 'add-br', 'br-no', '--', 'set', 'bridge', 'br-no', 'datapath_type=netdev');
    await reported('bare', /^connected: $/);
    await forget('bare');
    await world.sh('h2', 'ovs-vsctl', 'del-br', 'br-no');
  });

  it('a bridge that vanishes under use and comes back is served again', async () => {
    await world.removeVm('c2');
    await world.sh('h2', 'ovs-vsctl', 'del-br', 'br-int');
    expect(await reported('h2', /br-int/)).to.include('host h2 has no bridge br-int');
    const words = ['add-br', 'br-int', '--', 'set', 'bridge', 'br-int', 'datapath_type=netdev'];
    await world.sh('h2', 'ovs-vsctl', ...words, '--', 'add-port', 'br-int', 'uplink');
    await reported('h2', /^connected: $/);
    await world.addVm({ name: 'c2', host: 'h2', ips: addressesOf(12) });
    await world.ready();
    for (const address of VIPS) expect(await world.vm('c2').names({ address }, 2)).to.deep.equal(['s1', 's1']);
    await holdsLaw(world);
  });

  const unreachable: readonly (readonly [string, () => Promise<string>, RegExp])[] = [
    ['nobody listens', async () => 'tcp:127.0.0.1:1', /^(connecting|error): .*127\.0\.0\.1:1/],
    ['there is no socket', async () => 'unix:/nonexistent/db.sock', /^(connecting|error): .*\/nonexistent\/db\.sock/],
    ['a server never answers', () => impostor(() => {}), /^(connecting|error|unknown): ./],
    [
      'a server sends garbage',
      () => impostor((socket) => socket.write(Buffer.alloc(4096, 0x7b))),
      /^(connecting|error): ./,
    ],
    [
      'a server sends JSON without end',
      () => impostor((socket) => socket.write('{"method":"update","params":["')),
      /^(connecting|error|unknown): ./,
    ],
    ['a server hangs up', () => impostor((socket) => socket.destroy()), /^(connecting|error): ./],
    [
      'a server speaks HTTP',
      () => impostor((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')),
      /^(connecting|error): ./,
    ],
  ];
  it('hosts that cannot be reached, or are none, are reported each and disturb nobody', async () => {
    const names = unreachable.map((_, i) => `odd${i}`);
    for (const [i, [what, remote]] of unreachable.entries()) {
      expect((await world.cli('host', 'add', names[i]!, await remote())).code, what).to.equal(0);
    }
    await Promise.all(unreachable.map(([, , wanted], i) => reported(names[i]!, wanted)));
    await world.removeVm('c2');
    await world.addVm({ name: 'c2', host: 'h2', ips: addressesOf(12) });
    for (const address of VIPS) {
      await until(async () => (await world.vm('c2').names({ address }))[0] === 's1', { what: 'c2 is served' });
    }
    const problems = (await world.cli('status')).stdout;
    for (const name of names) expect(problems).to.include(`host ${name}: `);
    for (const name of names) await forget(name);
  });

  it('remotes that are none are refused', async () => {
    for (const remote of ['nonsense', 'tcp:', 'tcp:127.0.0.1:99999', 'ptcp:6640', 'http://h']) {
      expect(await refused('host', 'add', 'bad', remote), remote).to.include(remote);
    }
  });
});
