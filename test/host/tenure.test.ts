/** Who keeps a bridge, of several controllers that could, on real Open vSwitch. */
import { expect } from 'chai';
import { blue, member } from '../model/fixtures.ts';
import { type Kept, makeKeeper } from '../support/keeper.ts';
import { balancerView, balancing, hostView, macOf, portView } from '../support/model.ts';
import { type Ovs, startOvs } from '../support/ovs.ts';
import { requireSystem } from '../support/requirements.ts';
import { until } from '../support/until.ts';
import { WireCutter } from '../support/wire-cutter.ts';

const serving = (vip: string) =>
  hostView({
    ports: [portView(1)],
    balancers: [balancerView(balancing('web', [member('10.0.0.21')], { vips: [vip] }))],
    neighbours: { [blue.id]: { '10.0.0.21': macOf(21) } },
  });
const [ONE, TWO] = [serving('10.0.0.100'), serving('10.0.0.99')];
const STANDS_BY = /^another controller keeps bridge br0: \S+ pid \d+/;
const FOREIGN = /^bridge br0 is kept for another state database, by \S+ pid \d+.*hostlb host take-over/;

describe('who keeps a bridge', () => {
  let ovs: Ovs;
  let kept: Kept[];

  before(function () {
    requireSystem(this);
  });
  beforeEach(async () => {
    ovs = await startOvs({ bridge: 'br0', ports: ['p1'] });
    kept = [];
  });
  afterEach(async () => {
    await Promise.all(kept.map(({ keeper }) => keeper.stop()));
    await ovs.stop();
  });

  function keep(database: string, remote = ovs.dbRemote): Kept {
    const one = makeKeeper(remote, { database });
    kept.push(one);
    one.keeper.start();
    return one;
  }
  const flows = () => ovs.ofctl('dump-flows', '--no-stats', 'cookie=0x686c000000000000/0xffff000000000000');
  const claim = () => ovs.vsctl('--bare', '--columns=external_ids', 'find', 'Controller', 'external_ids:hostlb=br0');

  it('the controllers of one state database stand by for each other, and say nothing of what they do not keep', async () => {
    const first = keep('one');
    await first.apply(ONE);
    expect(await claim()).to.include('hostlb-database=one');
    const second = keep('one');
    await second.state('connecting', STANDS_BY);
    expect([first, second].map(({ keeper }) => keeper.isStandingBy)).to.deep.equal([false, true]);
    expect([first, second].map(({ keeper }) => keeper.inventory !== undefined)).to.deep.equal([true, false]);
    const applied = second.apply(ONE);
    await first.keeper.stop();
    await applied;
    expect(second.keeper.isStandingBy).to.equal(false);
    expect(second.keeper.reconciler?.counters).to.include({ itemsPut: 0, itemsRemoved: 0 });
  });

  it('a controller of another state database keeps away, also when nobody is there, until it is told to take over', async () => {
    const first = keep('one');
    await first.apply(ONE);
    const before = await flows();
    const other = keep('two');
    const taken = other.apply(TWO);
    await other.state('error', FOREIGN);
    expect(other.keeper.isStandingBy).to.equal(false);
    await first.keeper.stop();
    await other.state('error', FOREIGN);
    expect(await flows()).to.equal(before);

    const again = keep('one');
    await again.apply(ONE);
    const lost = again.state('error', FOREIGN);
    other.keeper.takeOver();
    await Promise.all([lost, taken]);
    expect(again.keeper.inventory).to.equal(undefined);
    expect(await flows())
      .to.include('nw_dst=10.0.0.99')
      .and.not.include('10.0.0.100');
    expect(await claim()).to.include('hostlb-database=two');

    // Nothing of it is taken back, and to delete the host here takes nothing away there.
    await again.keeper.leave(1000);
    expect(await flows()).to.include('nw_dst=10.0.0.99');
    expect(await claim()).to.include('hostlb-database=two');
    await other.keeper.leave(5000);
    expect(await claim()).to.equal('');
    const next = keep('one');
    await next.apply(ONE);
  });

  it('a controller that was cut off takes its lock back from its own former connection, and goes on', async () => {
    const wire = await WireCutter.start(ovs.dbRemote.replace(/^unix:/, ''));
    try {
      const target = `punix:${ovs.dbRemote.replace(/^unix:|db\.sock$/g, '')}br0.own`;
      const row = ['create', 'Controller', `target="${target}"`, 'external_ids:hostlb=br0'];
      await ovs.vsctl('--', '--id=@c', ...row, '--', 'set', 'Bridge', 'br0', 'controller=@c');
      const first = keep('one', `tcp:127.0.0.1:${wire.port}`);
      await first.apply(ONE);
      const { reconciler } = first.keeper;
      const second = keep('one');
      await second.state('connecting', STANDS_BY);
      wire.cut();
      wire.mend();
      // What is plugged in is followed again.
      await ovs.vsctl('set', 'Interface', 'p1', 'external_ids:iface-id=late');
      const sees = () => first.keeper.inventory?.vms.some(({ ifaceId }) => ifaceId === 'late');
      await until(sees, { what: 'the new port is seen' });
      for (let i = 0; i < 3; i++) await second.state('connecting', STANDS_BY);
      expect(first.keeper.reconciler).to.equal(reconciler);
      expect(second.keeper.isStandingBy).to.equal(true);
    } finally {
      await wire.stop();
    }
  });
});
