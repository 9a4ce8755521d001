/** Guards: nobody but the switch itself speaks as the VIP, and no host hears of another host's balancer. */
import { expect } from 'chai';
import { ALL_NODES_MAC, advertisement, arp, BROADCAST, type SeenFrame, solicitation, udp } from '../support/frames.ts';
import { holdsLaw } from '../support/law.ts';
import { requireSystem } from '../support/requirements.ts';
import { addressesOf, BLUE, balancing, membersAt, VIP4, VIP6, VIPS, vmAt } from '../support/site.ts';
import { inVm, type Place, segmentOf, send, uplinkOf, watching } from '../support/wire.ts';
import { World } from '../support/world.ts';

const [C1, C1_6] = addressesOf(11);
const [C2, C2_6] = addressesOf(12);
const PORT = 7777;

describe('guards of a VIP', () => {
  const world = new World({
    part: 'gd',
    topology: {
      hosts: [{ name: 'h1' }, { name: 'h2' }],
      networks: [BLUE],
      vms: [
        vmAt('c1', 'h1', 11),
        vmAt('c2', 'h2', 12),
        vmAt('n1', 'h1', 13),
        vmAt('s1', 'h1', 21),
        vmAt('s2', 'h2', 22),
      ],
    },
  });
  const { lab } = world;
  let vipMac = '';
  let macs: Record<string, string> = {};

  before(async function () {
    requireSystem(this, ['arping', 'tcpdump', 'python3']);
    await world.up();
    await Promise.all([world.serve(['s1', 's2']), world.apply(balancing('web', membersAt([21, 22])))]);
    macs = Object.fromEntries(lab.status().vms.map(({ name, mac }) => [name, mac]));
    const answer = await world.sh('c1', 'arping', '-c', '1', '-w', '2', '-I', 'eth0', VIP4);
    vipMac = /\[(\S+)\]/.exec(answer)![1]!.toLowerCase();
  });
  after(() => world.down());
  afterEach(async () => {
    await holdsLaw(world);
    expect(world.restarts()).to.equal(0);
  });

  /** Frames that speak as the VIP, for the VIP's own sake. */
  const asVip = (frame: SeenFrame): boolean =>
    frame.from === vipMac ||
    (frame.claims !== undefined && VIPS.includes(frame.claims)) ||
    (frame.source !== undefined && VIPS.includes(frame.source));
  const printed = (frames: readonly SeenFrame[]): string[] => frames.map(({ bytes }) => bytes.toString('hex'));

  /** What a VM or machine with this MAC and these addresses might send to become the VIP. */
  function forgeries(mac: string, own4: string, own6: string): { readonly name: string; readonly frame: Buffer }[] {
    const [to4, to6] = [
      { from: mac, to: BROADCAST },
      { from: mac, to: ALL_NODES_MAC },
    ];
    return [
      {
        name: 'gratuitous ARP request',
        frame: arp({ ...to4, operation: 'request', senderMac: mac, sender: VIP4, target: VIP4 }),
      },
      {
        name: 'gratuitous ARP reply',
        frame: arp({ ...to4, operation: 'reply', senderMac: mac, sender: VIP4, target: VIP4 }),
      },
      {
        name: 'ARP reply to one VM',
        frame: arp({ from: mac, to: macs.c2!, operation: 'reply', senderMac: mac, sender: VIP4, target: C2 }),
      },
      { name: 'unsolicited advertisement', frame: advertisement({ ...to6, source: own6, target: VIP6, mac }) },
      {
        name: 'advertisement to one VM',
        frame: advertisement({ from: mac, to: macs.c2!, source: own6, target: VIP6, mac }),
      },
      { name: 'IPv4 from the VIP', frame: udp({ ...to4, source: VIP4, destination: C2, port: PORT }) },
      { name: 'IPv6 from the VIP', frame: udp({ ...to6, source: VIP6, destination: C2_6, port: PORT }) },
      { name: 'solicitation from the VIP', frame: solicitation({ ...to6, source: VIP6, target: C2_6, mac }) },
      { name: 'IPv4 with the VIP MAC', frame: udp({ from: vipMac, source: own4, destination: C2, port: PORT }) },
      {
        name: 'IPv6 with the VIP MAC',
        frame: udp({ from: vipMac, to: ALL_NODES_MAC, source: own6, destination: C2_6, port: PORT }),
      },
      {
        name: 'ARP with the VIP MAC',
        frame: arp({ from: vipMac, operation: 'request', senderMac: vipMac, sender: own4, target: C2 }),
      },
      {
        name: 'advertisement with the VIP MAC',
        frame: advertisement({ from: vipMac, to: ALL_NODES_MAC, source: own6, target: own6, mac: vipMac }),
      },
    ];
  }

  /** Which of the frames arrive at each place; `honest` is one that must, so that silence means something. */
  async function arriving(from: Place, frames: ReturnType<typeof forgeries>, honest: Buffer, at: readonly Place[]) {
    const caught = await watching(at, () => send(from, [...frames.map(({ frame }) => frame), honest]));
    return caught.map((seen) => ({
      forged: frames.filter(({ frame }) => seen.some(({ bytes }) => bytes.equals(frame))).map(({ name }) => name),
      honest: seen.some(({ bytes }) => bytes.equals(honest)),
    }));
  }

  it('what a VM sends as the VIP reaches no other VM and no wire', async () => {
    const honest = udp({ from: macs.c1!, source: C1, destination: '10.0.0.255', port: PORT });
    const at = [
      inVm(lab, 'n1'),
      inVm(lab, 'c2'),
      inVm(lab, 's2'),
      uplinkOf(lab, 'h1'),
      uplinkOf(lab, 'h2'),
      segmentOf(lab),
    ];
    const arrived = await arriving(inVm(lab, 'c1'), forgeries(macs.c1!, C1, C1_6), honest, at);
    expect(arrived).to.deep.equal(at.map(() => ({ forged: [], honest: true })));
    // The switches have not learnt that the VIP MAC is anywhere either.
    for (const host of world.hosts)
      expect(await world.sh(host, 'ovs-appctl', 'fdb/show', 'br-int')).not.to.include(vipMac);
  });

  it('what comes from the segment as the VIP reaches no VM', async () => {
    const outside = '02:00:00:00:00:07';
    const honest = udp({ from: outside, source: '10.0.0.77', destination: '10.0.0.255', port: PORT });
    const at = ['c1', 'n1', 's1', 'c2', 's2'].map((vm) => inVm(lab, vm));
    const arrived = await arriving(segmentOf(lab), forgeries(outside, '10.0.0.77', 'fd00::77'), honest, at);
    expect(arrived).to.deep.equal(at.map(() => ({ forged: [], honest: true })));
  });

  it('no VM answers for the VIP across the segment: a lookup from outside stays unanswered', async () => {
    const outside = '02:00:00:00:00:07';
    const frames = [
      arp({ from: outside, operation: 'request', senderMac: outside, sender: '10.0.0.77', target: VIP4 }),
      solicitation({ from: outside, to: ALL_NODES_MAC, source: 'fd00::77', target: VIP6, mac: outside }),
    ];
    const [seen] = await watching([segmentOf(lab)], () => send(segmentOf(lab), frames));
    expect(printed(seen!.filter(asVip))).to.deep.equal([]);
    expect(seen!.filter(({ bytes }) => frames.some((frame) => frame.equals(bytes))).length).to.be.greaterThan(1);
  });

  it('the VIP still works for the VM that claimed it', async () => {
    for (const address of VIPS) expect((await world.vm('c1').names({ address }))[0]).to.match(/^s[12]$/);
  });

  it('where the network wants none, claims of its address pass, but nothing with the VIP MAC; and it serves on', async () => {
    const outside = '02:00:00:00:00:07';
    const claims = (frames: ReturnType<typeof forgeries>) =>
      frames.map(({ name }) => name).filter((name) => !name.endsWith('with the VIP MAC'));
    const fromVm = forgeries(macs.c1!, C1, C1_6);
    const fromOutside = forgeries(outside, '10.0.0.77', 'fd00::77');
    const honest = udp({ from: macs.c1!, source: C1, destination: '10.0.0.255', port: PORT });
    const strange = udp({ from: outside, source: '10.0.0.77', destination: '10.0.0.255', port: PORT });
    const c2 = inVm(lab, 'c2');
    const blue = { ...BLUE, balancer_range: [BLUE.balancer_range] };
    await world.apply({ networks: [{ ...blue, anti_spoofing: false }] });
    await holdsLaw(world);
    const at = [c2, uplinkOf(lab, 'h1')];
    // A request for the VIP is the switch's to answer, whoever asks: so a VM hears that the address is taken.
    const passing = claims(fromVm).filter((name) => name !== 'gratuitous ARP request');
    expect(await arriving(inVm(lab, 'c1'), fromVm, honest, at)).to.deep.equal(
      at.map(() => ({ forged: passing, honest: true })),
    );
    expect(await arriving(segmentOf(lab), fromOutside, strange, [c2])).to.deep.equal([
      { forged: claims(fromOutside), honest: true },
    ]);
    for (const host of world.hosts)
      expect(await world.sh(host, 'ovs-appctl', 'fdb/show', 'br-int')).not.to.include(vipMac);
    // A client that believes c1 sends to c1's MAC, and what it sends is about the VIP all the same.
    for (const address of VIPS) {
      await world.sh('c2', 'ip', 'neigh', 'replace', address, 'lladdr', macs.c1!, 'nud', 'reachable', 'dev', 'eth0');
      expect((await world.vm('c2').names({ address }))[0]).to.match(/^s[12]$/);
    }
    await world.apply({ networks: [blue] });
    expect(await arriving(inVm(lab, 'c1'), fromVm, honest, [c2])).to.deep.equal([{ forged: [], honest: true }]);
    for (const vm of Object.keys(macs)) await world.forgetNeighbours(vm);
  });

  for (const placement of ['switch', 'namespace'] as const) {
    it(`heavy use of placement ${placement} lets nothing of a VIP out, also when the switches know no place`, async () => {
      if (placement === 'namespace') await world.remove('web');
      await world.apply(
        balancing('web', membersAt([21, 22]), {
          placement,
          algorithm: placement === 'switch' ? 'SOURCE_IP_PORT' : 'ROUND_ROBIN',
        }),
      );
      const places = [...world.hosts.map((host) => uplinkOf(lab, host)), segmentOf(lab)];
      const caught = await watching(places, async () => {
        await Promise.all(
          ['c1', 'c2', 's1'].map((vm) =>
            world.vm(vm).run('load', { endpoints: VIPS.map((address) => ({ address })), perSecond: 40 }),
          ),
        );
        for (let round = 0; round < 8; round++) {
          for (const host of world.hosts) await world.sh(host, 'ovs-appctl', 'fdb/flush', 'br-int');
          for (const vm of ['c1', 'c2']) {
            await world.forgetNeighbours(vm);
            await world.sh(vm, 'ping', '-c', '2', '-i', '0.02', VIPS[round % 2]!);
          }
        }
        for (const vm of ['c1', 'c2', 's1']) {
          const { failures, answers } = await world.vm(vm).run('unload');
          expect(failures, vm).to.deep.equal([]);
          expect(Object.keys(answers).sort(), vm).to.deep.equal(['s1', 's2']);
        }
      });
      for (const [i, seen] of caught.entries()) {
        expect(printed(seen.filter(asVip)), places[i]!.namespace).to.deep.equal([]);
        expect(seen.length, 'frames seen').to.be.greaterThan(50);
      }
    });
  }
});
