/** Flavors: a load balancer's balancers have the limits that its flavor says, in every placement that has processes here. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { ask } from '../../src/agent/haproxy-cli.ts';
import { createNaming } from '../../src/agent/names.ts';
import { run } from '../../src/lab/process.ts';
import { CONTAINER_PROGRAMS, containerImage } from '../support/container-image.ts';
import { holdsLaw } from '../support/law.ts';
import { clearAway, nothingLeft } from '../support/leftovers.ts';
import { requireSystem } from '../support/requirements.ts';
import { BLUE, balancing, membersAt, VIP4, vmAt } from '../support/site.ts';
import { World } from '../support/world.ts';

/** Where the agent makes cgroups of version 2, or of version 1. */
const TREES = ['/sys/fs/cgroup/hostlb', '/sys/fs/cgroup/cpu/hostlb', '/sys/fs/cgroup/memory/hostlb'];

describe('flavors', () => {
  const world = new World({
    part: 'fl',
    controller: ['--linger', '0.5'],
    topology: {
      hosts: [{ name: 'h1' }],
      networks: [BLUE],
      vms: [vmAt('c1', 'h1', 11), vmAt('s1', 'h1', 21)],
    },
  });
  const runDir = () => `${world.lab.paths.host('h1')}/agent`;

  before(async function () {
    requireSystem(this, ['haproxy']);
    await world.up();
    await world.serve(['s1']);
  });
  after(() => world.down());
  afterEach(async () => {
    await holdsLaw(world);
    await nothingLeft(world);
    expect(world.restarts()).to.equal(0);
  });

  async function make(name: string, ...words: readonly string[]): Promise<void> {
    const { code, stderr } = await world.cli('flavor', 'create', name, ...words);
    expect(code, stderr).to.equal(0);
  }
  const apply = async (more: object): Promise<void> => {
    await world.apply(balancing('web', membersAt([21]), { algorithm: 'ROUND_ROBIN', placement: 'namespace', ...more }));
    expect(await world.vm('c1').names({ address: VIP4 })).to.deep.equal(['s1']);
  };
  /** The folder of the one sandbox. */
  function sandbox(): string {
    const folders = readdirSync(runDir()).filter((name) => name.startsWith('hlb'));
    expect(folders).to.have.length(1);
    return folders[0]!;
  }
  /** What HAProxy's cgroup allows; undefined = all there is. */
  function limits(): { readonly vcpus: number; readonly memoryMib: number } | undefined {
    const groups = TREES.map((tree) => join(tree, sandbox())).filter((path) => existsSync(path));
    if (groups.length === 0) return undefined;
    const read = (file: string): string | undefined => {
      const group = groups.find((path) => existsSync(join(path, file)));
      return group && readFileSync(join(group, file), 'utf8').trim();
    };
    for (const group of groups) expect(readFileSync(join(group, 'cgroup.procs'), 'utf8')).to.match(/\d/);
    const max = read('cpu.max')?.split(' ').map(Number) ?? [
      Number(read('cpu.cfs_quota_us')),
      Number(read('cpu.cfs_period_us')),
    ];
    const bytes = Number(read('memory.max') ?? read('memory.limit_in_bytes'));
    return { vcpus: max[0]! / max[1]!, memoryMib: bytes / 2 ** 20 };
  }
  const maxConnections = async (): Promise<number> => {
    const info = await ask(`${runDir()}/${sandbox()}/master.sock`, '@1 show info');
    return Number(/^Maxconn: (\d+)$/m.exec(info)![1]);
  };

  it('without one there are no limits', async () => {
    await apply({});
    expect(limits()).to.equal(undefined);
  });

  it('CPUs, memory and connections of a namespace', async () => {
    await make('small', ...'--placement namespace --vcpus 0.5 --memory 96 --max-connections 123'.split(' '));
    await clearAway(world);
    await apply({ flavor: 'small' });
    expect(limits()).to.deep.equal({ vcpus: 0.5, memoryMib: 96 });
    expect(await maxConnections()).to.equal(123);
  });

  it('the limits hold with the agent that comes next, and after a reload', async () => {
    await world.lab.stopAgent('h1', { force: true });
    world.lab.startAgent('h1');
    await apply({ flavor: 'small', listener: { timeout_client_data: 40_000 } });
    expect(limits()).to.deep.equal({ vcpus: 0.5, memoryMib: 96 });
  });

  it('a default flavor is for load balancers of its placement that name none', async () => {
    await make('usual', ...'--placement namespace --vcpus 0.25 --memory 128 --default'.split(' '));
    await clearAway(world);
    await apply({});
    expect(limits()).to.deep.equal({ vcpus: 0.25, memoryMib: 128 });
  });

  it('CPUs and memory of a container', async function () {
    requireSystem(this, CONTAINER_PROGRAMS);
    await containerImage();
    await make('boxed', ...'--placement container --vcpus 0.5 --memory 64 --max-connections 77'.split(' '));
    await clearAway(world);
    await apply({ placement: 'container', flavor: 'boxed' });
    const suffix = sandboxSuffix('container');
    const names = (await run('podman', ['ps', '--format', '{{.Names}}']))
      .split('\n')
      .filter((name) => name.endsWith(suffix));
    expect(names).to.have.length(1);
    const format = '{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.CpuQuota}} {{.HostConfig.CpuPeriod}}';
    const [memory, nanos, quota, period] = (await run('podman', ['inspect', '--format', format, names[0]!]))
      .trim()
      .split(' ')
      .map(Number);
    expect(memory! / 2 ** 20).to.equal(64);
    expect(nanos! > 0 ? nanos! / 1e9 : quota! / period!).to.equal(0.5);
    expect(await maxConnections()).to.equal(77);
  });

  it('one of another placement is refused', async () => {
    const words = ['--network', 'blue', '--vip', '10.0.0.130', '--placement', 'namespace', '--flavor', 'boxed'];
    const { code, stderr } = await world.cli('lb', 'create', '--name', 'odd', ...words);
    expect(code).to.equal(1);
    expect(stderr)
      .to.match(/boxed/)
      .and.match(/namespace/);
  });

  const sandboxSuffix = (placement: 'namespace' | 'container') =>
    createNaming({ host: 'h1', runDir: runDir(), placement }).suffix;
});
