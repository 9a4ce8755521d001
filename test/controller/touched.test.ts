import { expect } from 'chai';
import { hostsTouched } from '../../src/controller/touched.ts';
import type { Balancer } from '../../src/model/types.ts';
import type { ModelChange } from '../../src/store/types.ts';
import { modelOf } from '../model/fixtures.ts';

const balancers = new Map(
  ['h1', 'h2'].map((hostId) => [`b-${hostId}`, { hostId, loadBalancerId: `lb-${hostId}` } as Balancer]),
);
const model = { ...modelOf({}), balancers };
const NONE: ReadonlySet<string> = new Set();

function change(parts: Partial<ModelChange>): ModelChange {
  const sets = { networks: NONE, hosts: NONE, ports: NONE, loadBalancers: NONE, balancers: NONE, neighbours: NONE };
  const others = { flavors: NONE, virtualMachines: NONE, observations: NONE, probed: NONE };
  return { model, previous: model, addresses: false, ...sets, ...others, ...parts };
}

describe('the hosts that a change concerns', () => {
  const some = new Set(['x']);
  const all: readonly Partial<ModelChange>[] = [
    { networks: some },
    { ports: some },
    { loadBalancers: some },
    { neighbours: some },
    { addresses: true },
    { previous: { ...model, generation: 4 } },
  ];
  for (const parts of all) {
    it(`are all: ${Object.keys(parts)}`, () => {
      expect(hostsTouched(change(parts))).to.equal('all');
    });
  }

  it('are none when hosts report their state, or balancers what they see', () => {
    expect(hostsTouched(change({ hosts: some, observations: new Set(['b-h1']) }))).to.deep.equal(new Set());
  });

  it('are those with balancers of the load balancers whose members were found otherwise', () => {
    expect(hostsTouched(change({ probed: new Set(['lb-h2']) }))).to.deep.equal(new Set(['h2']));
  });

  it('are those of the balancers that changed, or went', () => {
    expect(hostsTouched(change({ balancers: new Set(['b-h2']) }))).to.deep.equal(new Set(['h2']));
    const gone = { ...model, balancers: new Map() };
    expect(hostsTouched(change({ model: gone, balancers: new Set(['b-h1']) }))).to.deep.equal(new Set(['h1']));
  });
});
