/** Containers and virtual machines as balancers: they come with the first VM, serve, are made anew, and leave nothing. */
import { expect } from 'chai';
import { run } from '../../src/lab/process.ts';
import { CONTAINER_PROGRAMS, containerImage } from '../support/container-image.ts';
import { holdsLaw } from '../support/law.ts';
import { containers, nothingLeft, qemus } from '../support/leftovers.ts';
import { requireSystem } from '../support/requirements.ts';
import { BLUE, balancing, membersAt, VIPS, vmAt } from '../support/site.ts';
import { until } from '../support/until.ts';
import { IMAGES_TIMEOUT_MS, VM_IMAGES, VM_PROGRAMS, vmImages } from '../support/vm-images.ts';
import { World } from '../support/world.ts';

interface Kind {
  readonly placement: 'container' | 'vm';
  readonly programs: readonly string[];
  image(): Promise<unknown>;
  /** Names of what runs for a balancer. */
  names(): Promise<string[]>;
  kill(name: string): Promise<unknown>;
}

const KINDS: readonly Kind[] = [
  {
    placement: 'container',
    programs: CONTAINER_PROGRAMS,
    image: containerImage,
    names: containers,
    kill: (name) => run('podman', ['kill', name]),
  },
  {
    placement: 'vm',
    programs: VM_PROGRAMS,
    image: vmImages,
    names: async () => [...qemus().keys()],
    kill: async (name) => process.kill(qemus().get(name)!, 'SIGKILL'),
  },
];

for (const { placement, programs, image, names, kill } of KINDS) {
  describe(`balancers of placement ${placement}`, () => {
    const world = new World({
      part: `lv${placement[0]}`,
      controller: ['--linger', '0.5'],
      agent: ['--vm-images', VM_IMAGES],
      topology: {
        hosts: [{ name: `h-${process.pid}` }],
        networks: [BLUE],
        vms: [],
      },
    });
    const [host] = world.hosts as [string];
    const own = async (): Promise<string[]> => (await names()).filter((name) => name.startsWith(`hostlb-${host}-`));

    before(async function () {
      this.timeout(IMAGES_TIMEOUT_MS + 60_000);
      requireSystem(this, programs);
      await image();
      await world.up();
      await world.addVm(vmAt('s1', host, 21, { owner: 'servers' }));
      await world.serve(['s1']);
      const document = balancing('web', membersAt([21]), { placement, owner: 'clients', algorithm: 'ROUND_ROBIN' });
      await world.client.request('PUT', '/v1/apply', document);
    });
    after(() => world.down());
    afterEach(async () => {
      await holdsLaw(world);
      await nothingLeft(world);
      expect(world.restarts()).to.equal(0);
    });

    const ready = (): Promise<unknown> =>
      until(async () => (await world.balancers()).some(({ state }) => state === 'ready'), {
        what: 'a ready balancer',
      });
    const serves = async (): Promise<void> => {
      for (const address of VIPS)
        expect(await world.vm('c1').names({ address }, 4)).to.deep.equal(['s1', 's1', 's1', 's1']);
    };

    it('there is none before the first VM', async () => {
      expect(await world.balancers()).to.deep.equal([]);
      expect(await own()).to.deep.equal([]);
    });

    it('comes with the first VM, and serves', async () => {
      await world.addVm(vmAt('c1', host, 11, { owner: 'clients' }));
      await ready();
      await serves();
      expect(await own()).to.have.length(1);
      process.stdout.write(`      ready after ${(await world.balancers())[0]!.ready_ms} ms\n`);
    });

    it('killed, it is made anew', async () => {
      const [name] = await own();
      const beganMs = performance.now();
      await kill(name!);
      const answered = async () => (await world.vm('c1').run('fetch', { address: VIPS[0]!, timeoutMs: 500 }))[0]!;
      await until(async () => (await answered()).startsWith('s1'), { what: 'it serves again' });
      process.stdout.write(`      serving again after ${Math.round(performance.now() - beganMs)} ms\n`);
      await ready();
      await serves();
      expect(await own()).to.deep.equal([name]);
    });

    it('outlives its agent', async () => {
      await world.lab.stopAgent(host, { force: true });
      await serves();
      world.lab.startAgent(host);
      await world.client.request(
        'PUT',
        '/v1/apply',
        balancing('web', membersAt([21], { weight: 7 }), { placement, owner: 'clients', algorithm: 'ROUND_ROBIN' }),
      );
      await serves();
    });

    it('goes with the last VM, though its agent is killed meanwhile', async () => {
      await world.removeVm('c1');
      await until(async () => (await world.balancers()).length === 0, { what: 'no balancer' });
      await world.lab.stopAgent(host, { force: true });
      world.lab.startAgent(host);
      await nothingLeft(world);
      expect(await own()).to.deep.equal([]);
    });
  });
}
