import { expect } from 'chai';
import type { Listener, LoadBalancer, Pool } from '../../src/model/types.ts';
import type { BalancerView } from '../../src/pipeline/view.ts';
import { answersLookups, type Way, wayOf } from '../../src/pipeline/ways.ts';
import { listener, loadBalancer, pool } from '../model/fixtures.ts';
import { balancerView } from '../support/model.ts';

const TCP = { ...listener(80, pool('tcp')) } as Listener & { readonly defaultPool: Pool };

function view(attributes: Partial<LoadBalancer>, parts: Partial<BalancerView>): BalancerView {
  return balancerView(loadBalancer('lb', { placement: 'namespace', listeners: [TCP], ...attributes }), parts);
}

describe('the way of connections', () => {
  const states: readonly (readonly [what: string, parts: Partial<BalancerView>, hold: Way, swi: Way])[] = [
    ['new', { state: 'new' }, 'hold', 'switch'],
    ['new, plugged in', { state: 'new', plug: 1 }, 'hold', 'switch'],
    ['ready', { state: 'ready', plug: 1 }, 'sandbox', 'handover'],
    ['ready, but no longer plugged in', { state: 'ready' }, 'hold', 'switch'],
    ['broken', { state: 'broken', plug: 1 }, 'rest', 'fallback'],
    ['broken, and unplugged', { state: 'broken' }, 'hold', 'switch'],
  ];
  for (const [what, parts, hold, swi] of states) {
    for (const placement of ['namespace', 'container', 'vm'] as const) {
      it(`to a ${placement} that is ${what}: ${hold}, or with the switch's help ${swi}`, () => {
        expect(wayOf(view({ placement, untilReady: 'hold' }, parts), TCP)).to.equal(hold);
        expect(wayOf(view({ placement, untilReady: 'switch' }, parts), TCP)).to.equal(swi);
      });
    }
  }

  it('in the switch is always the switch, or direct', () => {
    expect(wayOf(view({ placement: 'switch' }, {}), TCP)).to.equal('switch');
    expect(wayOf(view({ placement: 'switch', returnPath: 'direct' }, {}), TCP)).to.equal('direct');
  });

  it('in the switch leads to the controller where the algorithm has a memory', () => {
    for (const algorithm of ['ROUND_ROBIN', 'LEAST_CONNECTIONS'] as const) {
      const remembering = { ...TCP, defaultPool: { ...TCP.defaultPool, algorithm } };
      expect(wayOf(view({ placement: 'switch' }, {}), remembering)).to.equal('ask');
      expect(wayOf(view({ untilReady: 'switch' }, {}), remembering)).to.equal('switch');
    }
  });

  it('leads to the switch also where a listener lets in only some', () => {
    const some = { ...TCP, allowedCidrs: ['10.0.0.0/25'] };
    for (const [, parts, , swi] of states) expect(wayOf(view({ untilReady: 'switch' }, parts), some)).to.equal(swi);
  });

  it('of HTTPS is that of TCP', () => {
    const https = { ...TCP, protocol: 'HTTPS', defaultPool: { ...TCP.defaultPool, protocol: 'HTTPS' } } as const;
    for (const [, parts, , swi] of states) expect(wayOf(view({ untilReady: 'switch' }, parts), https)).to.equal(swi);
    expect(wayOf(view({ placement: 'switch' }, {}), https)).to.equal('switch');
  });

  const others: readonly (readonly [what: string, listener: Listener])[] = [
    ['HTTP', { ...TCP, protocol: 'HTTP' }],
    ['a pool that speaks PROXY', { ...TCP, defaultPool: { ...TCP.defaultPool, protocol: 'PROXY' } }],
    ['a limit of connections', { ...TCP, connectionLimit: 100 }],
  ];
  for (const [what, other] of others) {
    it(`of a listener with ${what} never leads to the switch`, () => {
      for (const [, parts, hold] of states) expect(wayOf(view({ untilReady: 'switch' }, parts), other)).to.equal(hold);
    });
  }
});

describe('lookups of a VIP', () => {
  const cases: readonly (readonly [
    what: string,
    attributes: Partial<LoadBalancer>,
    parts: Partial<BalancerView>,
    answered: boolean,
  ])[] = [
    ['in the switch', { placement: 'switch' }, {}, true],
    ['of mode announce', { placement: 'switch', lookupMode: 'announce' }, {}, true],
    ['of mode static', { placement: 'switch', lookupMode: 'static' }, {}, false],
    ['of mode static, ready', { lookupMode: 'static' }, { plug: 1 }, false],
    ['of a new balancer', {}, { state: 'new', plug: 1 }, false],
    ['of a new balancer whose listeners the switch serves', { untilReady: 'switch' }, { state: 'new' }, true],
    [
      'of a new balancer whose listeners the switch cannot serve',
      { untilReady: 'switch', listeners: [{ ...TCP, protocol: 'HTTP' }] },
      { state: 'new' },
      false,
    ],
    ['of a ready balancer', {}, { plug: 1 }, true],
    ['of one that broke', {}, { state: 'broken' }, true],
  ];
  for (const [what, attributes, parts, answered] of cases) {
    it(`${what} are ${answered ? '' : 'not '}answered`, () => {
      expect(answersLookups(view(attributes, parts))).to.equal(answered);
    });
  }
});
