/** The Mininet topology, on the Open vSwitch and in the network of a lab host: the machine's own stays untouched. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { createLab, type ExecResult, parseTopology } from '../../src/lab/index.ts';
import { packaged } from '../../src/util/paths.ts';
import { labName } from '../support/lab.ts';
import { requireSystem } from '../support/requirements.ts';

const SOURCE = packaged('topologies/mininet_three_hosts.py');
/** Its copy, which is seen whatever hides the checkout. */
const FILE = '/mnt/mininet_three_hosts.py';
const HOSTLB = packaged('bin/hostlb');
const WEB = `
networks:
  - {name: blue, vlan: 0, subnets: [10.0.0.0/24, "fd00::/64"], balancer_range: 10.0.0.240-10.0.0.250}
load_balancers:
  - name: web
    network: blue
    vips: [10.0.0.100, "fd00::100"]
    listeners:
      - protocol: TCP
        protocol_port: 80
        default_pool:
          lb_algorithm: SOURCE_IP_PORT
          members:
            - {address: 10.0.0.21, protocol_port: 80}
            - {address: 10.0.0.22, protocol_port: 80}
            - {address: "fd00::21", protocol_port: 80}
            - {address: "fd00::24", protocol_port: 80}
`;

describe('Mininet topology', () => {
  const lab = createLab({ name: labName('m') });

  before(async function () {
    requireSystem(this, ['mn', 'mnexec', 'unshare', 'curl']);
    const networks = [{ name: 'unused', subnets: ['192.0.2.0/24'] }];
    await lab.up({ topology: parseTopology({ hosts: [{ name: 'h1' }], networks }), bare: true });
  });
  after(() => lab.down());

  /** Mininet kills processes by name and empties /tmp when something fails: here it sees none but its own. */
  const isolated = (command: string, input = ''): Promise<ExecResult> => {
    const script = `cd / && mount -t tmpfs private /mnt && cp ${SOURCE} /mnt && mount -t tmpfs private /tmp && ${command}`;
    return lab.exec('h1', ['unshare', '--pid', '--fork', '--mount', '--mount-proc', 'sh', '-c', script], { input });
  };
  const alone = (command: string): Promise<ExecResult> => isolated(`/usr/bin/python3 -B ${FILE} --test ${command}`);

  it('everybody reaches everybody', async () => {
    const { exitCode, stderr } = await alone('');
    expect(exitCode, stderr).to.equal(0);
  });

  it('servers answer their own name over IPv4 and IPv6, from other switches', async () => {
    const urls = "http://10.0.0.21/ http://10.0.0.22/ 'http://[fd00::23]/' 'http://[fd00::24]/'";
    expect(await alone(`c1 curl -s -m 5 ${urls}`)).to.include({ exitCode: 0, stdout: 's1\ns2\ns3\ns4\n' });
  });

  it('describes its ports as a hypervisor does, in userspace bridges without controllers', async () => {
    const ports = await alone('c1 ovs-vsctl --bare --columns=external_ids find Interface external_ids:iface-id=s4');
    expect(ports.stdout).to.match(/^attached-mac="?52:54:00:[0-9a-f:]{8}"? iface-id=s4 vm-id="?[0-9a-f-]{36}"?\s*$/);
    const bridges = await alone('c1 ovs-vsctl -f csv --no-heading --columns=name,datapath_type,controller list Bridge');
    const lines = bridges.stdout
      .trim()
      .split('\n')
      .filter((line) => !line.startsWith('br-int'))
      .sort();
    expect(lines).to.deep.equal(['segment', 'sw1', 'sw2', 'sw3'].map((name) => `${name},netdev,[]`));
  });

  it('hands back the exit code of the command', async () => {
    expect(await alone("c1 sh -c 'exit 5'")).to.include({ exitCode: 5 });
  });

  it('is a custom topology of mn', async () => {
    const command = `mn --custom ${FILE} --topo threehosts --controller none`;
    const { exitCode, stdout, stderr } = await isolated(command, 'c3 curl -s -m 5 http://10.0.0.21/\n');
    expect(exitCode, stderr).to.equal(0);
    expect(stdout + stderr).to.match(/^s1$/m);
  });

  it('its switches balance under a controller, as hosts of one Open vSwitch', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'hostlb-mn-'));
    const { file, args, env } = lab.command('h1', [process.execPath, HOSTLB, 'controller', '--state-dir', folder]);
    const controller = spawn(file, args, { env: { ...process.env, ...env }, stdio: 'ignore' });
    try {
      const apply = ['sh', '-c', `until ${HOSTLB} network list; do sleep 0.1; done && ${HOSTLB} apply -f -`];
      const applied = await lab.exec('h1', apply, { input: WEB, timeoutMs: 30_000 });
      expect(applied.exitCode, applied.stderr).to.equal(0);
      const fetch = '--retry 30 --retry-delay 1 --retry-all-errors --connect-timeout 1 -s';
      const script = `curl ${fetch} http://10.0.0.100/ && curl ${fetch} "http://[fd00::100]/" && ip neigh show 10.0.0.100`;
      const served = await isolated(
        `/usr/bin/python3 -B ${FILE} --controller-api http://127.0.0.1:9876 --test c3 sh -c '${script}'`,
      );
      expect(served.stdout).to.match(/^s[12]\ns[14]\n10\.0\.0\.100 dev \S+ lladdr 06:/);
    } finally {
      const ended = once(controller, 'exit');
      controller.kill();
      await ended;
      await rm(folder, { recursive: true, force: true });
    }
  });

  it('leaves no bridge behind', async () => {
    expect((await lab.exec('h1', ['ovs-vsctl', 'list-br'])).stdout).to.equal('br-int\n');
  });
});
