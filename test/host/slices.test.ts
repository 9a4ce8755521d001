/** In what order a switch that has nothing is filled. */
import { expect } from 'chai';
import { createRecency } from '../../src/host/recency.ts';
import { slicesOf } from '../../src/host/slices.ts';
import type { Flow } from '../../src/openflow/index.ts';
import { createDesired } from '../../src/pipeline/desired.ts';
import { cookieOf, readCookie } from '../../src/pipeline/ids.ts';
import { blue, member } from '../model/fixtures.ts';
import { balancerView, balancing, hostView, macOf, portView } from '../support/model.ts';

const COUNT = 200;
const keyOf = ({ cookie }: Flow): number | undefined => {
  const read = readCookie(cookie);
  return read?.kind === 'load_balancer' ? read.key : undefined;
};
const groupsOf = ({ instructions }: Flow): number[] =>
  instructions.flatMap((one) =>
    one.kind === 'apply_actions'
      ? one.actions.flatMap((action) => (action.kind === 'group' ? [action.groupId] : []))
      : [],
  );

describe('slices', () => {
  const balancers = Array.from({ length: COUNT }, (_, n) =>
    balancing(`web-${n}`, [member('10.0.0.21')], { vips: [`10.0.${1 + (n >> 7)}.${1 + (n & 127)}`] }),
  );
  const desired = createDesired();
  desired.update(
    hostView({
      ports: [portView(1)],
      balancers: balancers.map((one) => balancerView(one)),
      neighbours: { [blue.id]: { '10.0.0.21': macOf(21) } },
    }),
  );
  const plan = { flows: [...desired.flows.values()], groups: [...desired.groups.values()] };
  const keys = balancers.map(({ key }) => key);
  const latest = [keys[150]!, keys[7]!, 4_000_000];
  const slices = [...slicesOf(plan, latest)];

  it('are several, and have each flow and each group once', () => {
    expect(slices.length).to.be.greaterThan(2);
    expect(slices.flatMap(({ flows }) => flows))
      .to.have.members(plan.flows)
      .and.have.length(plan.flows.length);
    expect(slices.flatMap(({ groups }) => groups))
      .to.have.members(plan.groups)
      .and.have.length(plan.groups.length);
  });

  it('refer to nothing that comes in a later one', () => {
    const there = new Set<number>();
    for (const { groups, flows } of slices) {
      for (const { value } of groups) there.add(value.groupId);
      for (const id of flows.flatMap(({ value }) => groupsOf(value)))
        expect(there.has(id), `group ${id}`).to.equal(true);
    }
  });

  it('begin with what is common, and have each load balancer whole', () => {
    const owners = slices.map(({ flows }) => new Set(flows.map(({ value }) => keyOf(value))));
    expect(owners.flatMap((of, n) => (of.has(undefined) ? [n] : []))).to.deep.equal([0]);
    for (const key of keys) expect(owners.filter((of) => of.has(key))).to.have.length(1);
  });

  it('have those first that were busy last', () => {
    const order = [...new Set(slices.flatMap(({ flows }) => flows.map(({ value }) => keyOf(value))))];
    expect(order.slice(0, 4)).to.deep.equal([undefined, keys[150], keys[7], keys[0]]);
  });

  it('of little are one; of nothing, none', () => {
    const few = plan.flows.slice(0, 10);
    expect([...slicesOf({ flows: few, groups: [] }, [])]).to.deep.equal([{ flows: few, groups: [] }]);
    expect([...slicesOf({ flows: [], groups: [] }, [])]).to.deep.equal([]);
  });
});

describe('recency', () => {
  const silent = { connected() {}, counted() {}, countedAll() {}, gone() {} };
  const count = (packets: number) => [
    { flow: `${cookieOf('load_balancer', 1)}`, tableId: 1, match: {}, packets, bytes: 0 },
  ];

  it('tells who had traffic last, and not who was merely read', () => {
    const { counts, latest } = createRecency(silent);
    for (const key of [1, 2, 3]) counts.counted(key, count(key === 3 ? 0 : 10));
    expect(latest()).to.deep.equal([2, 1]);
    counts.counted(1, count(11));
    counts.counted(2, count(10));
    expect(latest()).to.deep.equal([1, 2]);
  });

  it('outlives a switch that has nothing, and forgets those that are no more', () => {
    const { counts, latest } = createRecency(silent);
    counts.countedAll(
      new Map([
        [1, count(5)],
        [2, count(7)],
      ]),
    );
    counts.connected();
    counts.countedAll(new Map());
    expect(latest()).to.deep.equal([2, 1]);
    counts.counted(1, count(0));
    expect(latest()).to.deep.equal([2, 1]);
    counts.countedAll(new Map([[1, count(2)]]));
    expect(latest()).to.deep.equal([1]);
  });
});
