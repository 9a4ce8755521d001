/** Lookup modes: who learns the VIP MAC without asking, who is answered, and what becomes of questions that nobody answers. */
import { expect } from 'chai';
import { LOOKUP_MODES, type LookupMode } from '../../src/model/types.ts';
import { vipMac } from '../../src/model/vip-mac.ts';
import type { SeenFrame } from '../support/frames.ts';
import { holdsLaw } from '../support/law.ts';
import { requireSystem } from '../support/requirements.ts';
import { BLUE, balancing, membersAt, vmAt } from '../support/site.ts';
import { until } from '../support/until.ts';
import { inVm, uplinkOf, watching } from '../support/wire.ts';
import { World } from '../support/world.ts';

const PLACEMENTS = ['switch', 'namespace'] as const;
type Vips = readonly [ipv4: string, ipv6: string];

/** Each placement and mode has a load balancer of its own. */
const cases = PLACEMENTS.flatMap((placement, i) =>
  LOOKUP_MODES.map((mode, j) => {
    const number = 101 + 10 * i + j;
    const vips: Vips = [`10.0.0.${number}`, `fd00::${number}`];
    return { placement, mode, name: `${placement}-${mode}`, vips };
  }),
);

describe('lookup modes', () => {
  const world = new World({
    part: 'lm',
    controller: ['--announce', '1'],
    topology: {
      hosts: [{ name: 'h1' }, { name: 'h2' }],
      networks: [BLUE],
      vms: [vmAt('c1', 'h1', 11), vmAt('x1', 'h1', 12), vmAt('s2', 'h2', 22)],
    },
  });
  let macs: Readonly<Record<string, string>>;

  before(async function () {
    requireSystem(this, ['haproxy', 'tcpdump', 'arping', 'ping', 'python3']);
    await world.up();
    // A Linux guest that heeds what it is told unasked: of ARP always, of ND if it is a router (RFC 9131).
    const heeds = [
      'ipv4.conf.eth0.arp_accept=1',
      'ipv6.conf.eth0.accept_untracked_na=1',
      'ipv6.conf.eth0.forwarding=1',
    ];
    await world.sh('c1', 'sysctl', '-q', '-w', ...heeds.map((one) => `net.${one}`));
    await world.serve(['s2']);
    for (const { name, placement, mode, vips } of cases) {
      const more = { placement, lookup_mode: mode, vips: [...vips] };
      await world.client.request('PUT', '/v1/apply', balancing(name, membersAt([22]), more));
    }
    await world.ready();
    const { loadbalancers } = await world.get<{ loadbalancers: { id: string; name: string }[] }>(
      '/v2/lbaas/loadbalancers',
    );
    macs = Object.fromEntries(loadbalancers.map(({ id, name }) => [name, vipMac(id)]));
  });
  after(() => world.down());
  afterEach(async () => {
    await holdsLaw(world);
    expect(world.restarts()).to.equal(0);
  });

  const neighbour = async (vm: string, address: string): Promise<string | undefined> =>
    /lladdr (\S+)/.exec(await world.sh(vm, 'ip', 'neigh', 'show', address, 'dev', 'eth0'))?.[1];
  const forget = (vm: string) => world.sh(vm, 'ip', 'neigh', 'flush', 'dev', 'eth0', 'nud', 'all');
  /** Asks who has the address, whatever is known; the MAC that somebody answers with. */
  async function ask(vm: string, address: string): Promise<string | undefined> {
    if (!address.includes(':')) {
      const { stdout } = await world.lab.exec(vm, ['arping', '-c', '1', '-w', '1', '-I', 'eth0', address]);
      return /reply from \S+ \[(\S+)\]/.exec(stdout)?.[1]?.toLowerCase();
    }
    await forget(vm);
    await world.lab.exec(vm, ['ping', '-c', '1', '-W', '1', address]);
    return neighbour(vm, address);
  }
  const serves = async (vm: string, vips: Vips): Promise<void> => {
    for (const address of vips) expect(await world.vm(vm).names({ address }, 2), address).to.deep.equal(['s2', 's2']);
  };
  /** Announcements have the form of questions, too: what comes from the VIP MAC is none. */
  const questions = (frames: readonly SeenFrame[], vips: Vips): readonly string[] =>
    frames.flatMap(({ asks, from }) =>
      asks !== undefined && vips.includes(asks) && !Object.values(macs).includes(from) ? [asks] : [],
    );

  const tests: Readonly<Record<LookupMode, (one: (typeof cases)[number]) => void>> = {
    respond({ name, vips, placement }) {
      it(`respond, ${placement}: a VM knows nothing until it asks, and is answered`, async () => {
        const [seen, left] = await watching([inVm(world.lab, 'x1'), uplinkOf(world.lab, 'h1')], async () => {
          for (const vip of vips) expect(await neighbour('x1', vip)).to.equal(undefined);
          await serves('x1', vips);
        });
        expect([...new Set(questions(seen!, vips))].sort()).to.deep.equal([...vips].sort());
        expect(questions(left!, vips)).to.deep.equal([]);
        for (const vip of vips) expect(await neighbour('x1', vip)).to.equal(macs[name]);
      });
    },

    announce({ name, vips, placement }) {
      it(`announce, ${placement}: a VM that heeds it reaches the VIP without having asked`, async () => {
        const [seen, left] = await watching([inVm(world.lab, 'c1'), uplinkOf(world.lab, 'h1')], async () => {
          // Not earlier: what is announced before somebody watches would count as known and not as told.
          await forget('c1');
          for (const vip of vips) {
            await until(async () => (await neighbour('c1', vip)) === macs[name], { what: `c1 was told of ${vip}` });
          }
          await serves('c1', vips);
        });
        expect(questions(seen!, vips)).to.deep.equal([]);
        // Told by ARP and by ND; and nobody beyond the host hears of it.
        const told = seen!.filter(({ claims }) => claims !== undefined && vips.includes(claims));
        expect([...new Set(told.map(({ kind, claims }) => `${kind} ${claims}`))].sort()).to.deep.equal(
          [`arp ${vips[0]}`, `icmpv6 ${vips[1]}`].sort(),
        );
        expect([...new Set(told.map(({ from }) => from))]).to.deep.equal([macs[name]]);
        expect(left!.filter(({ claims, from }) => from === macs[name] || (claims && vips.includes(claims)))).to.be
          .empty;
      });

      it(`announce, ${placement}: a VM that asks is answered all the same`, async () => {
        for (const vip of vips) expect(await ask('x1', vip)).to.equal(macs[name]);
        await serves('x1', vips);
      });
    },

    static({ name, vips, placement }) {
      it(`static, ${placement}: a VM that asks gets no answer, and its question does not leave the host`, async () => {
        const [seen, left] = await watching([inVm(world.lab, 'x1'), uplinkOf(world.lab, 'h1')], async () => {
          for (const vip of vips) expect(await ask('x1', vip)).to.equal(undefined);
        });
        expect([...new Set(questions(seen!, vips))].sort()).to.deep.equal([...vips].sort());
        expect(questions(left!, vips)).to.deep.equal([]);
      });

      it(`static, ${placement}: a VM with a permanent entry reaches it, and never asks`, async () => {
        for (const vip of vips) {
          await world.sh('c1', 'ip', 'neigh', 'replace', vip, 'lladdr', macs[name]!, 'dev', 'eth0', 'nud', 'permanent');
        }
        const [seen] = await watching([inVm(world.lab, 'c1')], async () => {
          await serves('c1', vips);
          for (const vip of vips) {
            expect(await world.sh('c1', 'ping', '-c', '2', '-i', '0.1', '-W', '2', vip)).to.include('2 received');
          }
        });
        expect(questions(seen!, vips)).to.deep.equal([]);
      });
    },
  };
  for (const one of cases) tests[one.mode](one);

  it('a VM that is plugged in later is told at once', async () => {
    const [before] = await watching([inVm(world.lab, 'x1')], () =>
      world.lab.moveVm('x1', 'h2').then(() => world.ready()),
    );
    const announced = cases.filter(({ mode }) => mode === 'announce').flatMap(({ vips }) => vips);
    const others = cases.filter(({ mode }) => mode !== 'announce').flatMap(({ vips }) => vips);
    const told = new Set(before!.map(({ claims }) => claims));
    for (const vip of announced) expect(told).to.include(vip);
    for (const vip of others) expect(told).to.not.include(vip);
    await world.lab.moveVm('x1', 'h1');
  });

  it('the mode can be changed while it serves', async () => {
    const { vips, name, placement } = cases.find(({ mode }) => mode === 'respond')!;
    const change = (lookup_mode: LookupMode) =>
      world.apply(balancing(name, membersAt([22]), { placement, lookup_mode, vips: [...vips] }));
    await change('static');
    expect(await ask('x1', vips[0])).to.equal(undefined);
    await change('announce');
    await until(async () => (await neighbour('c1', vips[1])) === macs[name], { what: 'c1 was told' });
    await change('respond');
    for (const vip of vips) expect(await ask('x1', vip)).to.equal(macs[name]);
  });
});
