/** `hostlb trace` and `hostlb flows` on real hosts, with traffic that goes where they say. */
import { expect } from 'chai';
import type { Told } from '../../src/explain/tell.ts';
import { requireSystem } from '../support/requirements.ts';
import { addressesOf, BLUE, balancing, membersAt, VIP4, VIP6, vmAt } from '../support/site.ts';
import { World } from '../support/world.ts';

const OUT4 = '10.0.0.101';
const LOST4 = '10.0.0.102';
const DIRECT4 = '10.0.0.104';
const LOCAL = addressesOf(21)[0];
const REMOTE = addressesOf(22)[0];

describe('hostlb trace', () => {
  const world = new World({
    part: 'trc',
    topology: {
      hosts: [{ name: 'h1' }, { name: 'h2' }],
      networks: [BLUE],
      vms: [
        vmAt('c1', 'h1', 11),
        vmAt('o1', 'h1', 12, { owner: 'others' }),
        vmAt('s1', 'h1', 21),
        vmAt('s2', 'h2', 22),
      ],
    },
  });

  before(async function () {
    requireSystem(this, ['haproxy']);
    await world.up();
    const outside = { placement: 'namespace' as const, algorithm: 'ROUND_ROBIN' as const, vips: [OUT4] };
    await Promise.all([
      world.serve(['s1', 's2']),
      world.apply(balancing('web', membersAt([21, 22]), { owner: 'mine' })),
      world.apply(balancing('out', membersAt([21, 22]), outside)),
      world.apply(
        balancing('media', membersAt([21, 22]), { vips: [DIRECT4], return_path: 'direct', algorithm: 'SOURCE_IP' }),
      ),
      world.apply(balancing('lost', membersAt([99]), { vips: [LOST4] })),
    ]);
  });
  after(() => world.down());

  const trace = async (line: string): Promise<Told> => {
    const { code, stdout, stderr } = await world.cli('trace', ...line.split(' '), '-o', 'json');
    expect([code, stderr], line).to.deep.equal([0, '']);
    const told = JSON.parse(stdout) as Told;
    const strange = told.passes.flatMap(({ steps }) => steps.filter(({ wanted }) => wanted === false));
    expect(strange, `${line}: flows of ours that are not desired`).to.deep.equal([]);
    return told;
  };
  const fromC1 = (rest: string) =>
    trace(`h1 --from c1 --source ${addressesOf(11)[rest.includes('fd00') ? 1 : 0]} ${rest}`);

  for (const [to, protocol] of [
    [VIP4, 'arp'],
    [VIP6, 'nd'],
    [VIP4, 'icmp'],
    [VIP6, 'icmp'],
    [OUT4, 'arp'],
  ] as const) {
    it(`${protocol} for ${to}: the switch answers`, async () => {
      const { outcome, reasons } = await fromC1(`--to ${to} --protocol ${protocol}`);
      expect(outcome.kind).to.equal('answered');
      expect(reasons).to.deep.equal([]);
    });
  }

  for (const to of [`${VIP4}:80`, `[${VIP6}]:80`]) {
    it(`a connection to ${to}: first packet, later ones, and replies of members here and there`, async () => {
      expect((await fromC1(`--to ${to}`)).outcome).to.include({ kind: 'member' });
      for (const [index, number] of [21, 22].entries()) {
        const member = addressesOf(number)[to.startsWith('[') ? 1 : 0];
        const known = await fromC1(`--to ${to} --established --member ${member}`);
        expect(known.outcome.text)
          .to.include(member)
          .and.include(index === 0 ? 'VM s1' : 'uplink');
        const reply = await fromC1(`--to ${to} --reply --member ${member}`);
        expect(reply.outcome).to.include({ kind: 'client' });
        expect(reply.outcome.text).to.include('VM c1').and.include(to);
      }
    });
  }

  it("a remote member's reply leaves its own host untouched", async () => {
    const { outcome, reasons } = await trace(`h2 --from c1 --to ${VIP4}:80 --reply --member ${REMOTE}`);
    expect(outcome).to.include({ kind: 'switched' });
    expect(reasons).to.deep.equal([]);
  });

  it('a member that is its own client, there and back', async () => {
    const line = `h1 --from s1 --to ${VIP4}:80 --member ${LOCAL}`;
    expect((await trace(`${line} --established`)).outcome.text).to.include('VM s1');
    expect((await trace(`${line} --reply`)).outcome).to.include({ kind: 'client' });
  });

  it('a balancer in its namespace, and what it sends back', async () => {
    const there = await fromC1(`--to ${OUT4}:80`);
    expect(there.outcome).to.include({ kind: 'balancer' });
    expect(there.outcome.text).to.include('namespace');
    const back = await fromC1(`--to ${OUT4}:80 --reply`);
    expect(back.outcome.text).to.include('VM c1').and.include(OUT4);
  });

  it('members that answer themselves: chosen here, and their answer as it arrives here', async () => {
    const there = await fromC1(`--to ${DIRECT4}:80`);
    expect(there.outcome).to.include({ kind: 'member' });
    expect(there.outcome.text).to.include('media');
    const back = await fromC1(`--to ${DIRECT4}:80 --reply --member ${REMOTE}`);
    expect(back.outcome).to.include({ kind: 'client' });
    expect(back.outcome.text).to.include('VM c1').and.include(DIRECT4);
  });

  it('drops and refusals, with their reasons', async () => {
    const port = await fromC1(`--to ${VIP4}:81`);
    expect(port.outcome.kind).to.equal('dropped');
    expect(port.reasons.join()).to.match(/no listener on tcp 81/);
    const owner = await trace(`h1 --from o1 --to ${VIP4}:80`);
    expect(owner.outcome.kind).to.equal('dropped');
    expect(owner.reasons.join()).to.match(/others.*mine/);
    const lost = await fromC1(`--to ${LOST4}:80`);
    expect(lost.outcome.kind).to.equal('refused');
    expect(lost.reasons.join()).to.match(/10\.0\.0\.99.* no known MAC/);
  });

  it('says what happens: the member that it names gets the connection', async () => {
    await world.apply(balancing('source', membersAt([21, 22]), { vips: ['10.0.0.103'], algorithm: 'SOURCE_IP' }));
    const { outcome } = await fromC1('--to 10.0.0.103:80');
    const [name] = await world.vm('c1').names({ address: '10.0.0.103' }, 1);
    expect(outcome.text).to.include(name === 's1' ? LOCAL : REMOTE);
    await world.remove('source');
  });

  it('reads well: one line a table, one for the end', async () => {
    const { stdout } = await world.cli('trace', 'h1', '--from', 'c1', '--to', `${VIP4}:80`);
    expect(stdout)
      .to.match(/^ingress +VM c1 of network blue/m)
      .and.match(/^select +.*member /m);
    expect(stdout).to.match(/^Delivered to member .* of web/m);
    expect(stdout).to.not.include('${');
  });

  it('flows that the switch has are all told, whoever the object is', async () => {
    for (const host of world.hosts) {
      const { stdout } = await world.cli('flows', host, '-o', 'json');
      const { flows } = JSON.parse(stdout) as { flows: { words: string; text: string }[] };
      expect(flows).to.have.length((await world.flows(host)).length);
      expect(flows.filter(({ words }) => words === '' || words.includes('${'))).to.deep.equal([]);
    }
  });
});
