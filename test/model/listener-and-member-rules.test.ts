import { expect } from 'chai';
import { MEMBER_DEFAULTS } from '../../src/model/defaults.ts';
import type { MemberSpec } from '../../src/model/specs.ts';
import { ALGORITHMS, type Algorithm, PLACEMENTS, type Placement } from '../../src/model/types.ts';
import {
  draftListener,
  draftMembers,
  draftPoolFor,
  memberContext,
  patchedListener,
  patchedMember,
  patchedPool,
  poolContext,
} from '../../src/model/validate.ts';
import { listener, loadBalancer, member, modelOf, pool } from './fixtures.ts';
import { expectModelError } from './model-error.ts';

const web = loadBalancer('web', { pools: [pool('p', [member('10.0.0.21')])] });
const inUse = modelOf({ loadBalancers: [web] });
const long = 'x'.repeat(256);

type Refusal = readonly [why: string, code: 'invalid' | 'conflict' | 'unsupported' | 'not-found', message: string];

describe('listener and pool rules', () => {
  const full = loadBalancer('full', {
    vips: ['10.0.0.101'],
    listeners: Array.from({ length: 64 }, (_, i) => listener(i + 1)),
    pools: Array.from({ length: 256 }, (_, i) => pool(`p${i}`)),
  });
  const p = pool('p');
  const some = loadBalancer('some', { vips: ['10.0.0.102'], listeners: [listener(80, p), listener(81)], pools: [p] });
  const model = modelOf({ loadBalancers: [full, some] });

  it('accepts a listener on a free port, with an existing pool', () => {
    const draft = draftListener(model, some, { protocol: 'TCP', protocolPort: 82, defaultPool: 'pool-p' });
    expect(draft.defaultPool).to.deep.equal({ kind: 'existing', pool: p });
  });

  const cases: readonly (readonly [...Refusal, () => unknown])[] = [
    [
      'a used port',
      'conflict',
      'already using protocol TCP and protocol_port 80',
      () => draftListener(model, some, { protocol: 'TCP', protocolPort: 80 }),
    ],
    [
      'a 65th listener',
      'conflict',
      'listeners of load balancer full (lb-full): 65',
      () => draftListener(model, full, { protocol: 'TCP', protocolPort: 99 }),
    ],
    [
      'a listener with a 65th pool',
      'conflict',
      'pools of load balancer',
      () =>
        draftListener(
          model,
          { ...full, listeners: [] },
          { protocol: 'TCP', protocolPort: 99, defaultPool: { algorithm: 'SOURCE_IP' } },
        ),
    ],
    [
      "another load balancer's pool",
      'not-found',
      'Pool pool-p0 not found.',
      () => draftListener(model, some, { protocol: 'TCP', protocolPort: 82, defaultPool: 'pool-p0' }),
    ],
    [
      "a patch to another's pool",
      'not-found',
      'Pool pool-p0 not found.',
      () => patchedListener(model, { loadBalancer: some, listener: some.listeners[0]! }, { defaultPoolId: 'pool-p0' }),
    ],
    [
      'a second default pool',
      'conflict',
      'This listener already has a default pool',
      () => draftPoolFor(model, some, { algorithm: 'SOURCE_IP' }, 'listener-80'),
    ],
    [
      'a pool of an unknown listener',
      'not-found',
      'Listener nope not found.',
      () => draftPoolFor(model, some, { algorithm: 'SOURCE_IP' }, 'nope'),
    ],
    [
      'one pool too many',
      'conflict',
      '257 are more than the limit of 256',
      () => draftPoolFor(model, full, { algorithm: 'SOURCE_IP' }),
    ],
    [
      'a pool patch beyond the placement',
      'unsupported',
      'slow_start',
      () => patchedPool(poolContext(model, some), p, { slowStartSeconds: 5 }),
    ],
    [
      'a flag that is none',
      'invalid',
      'admin_state_up',
      () =>
        patchedMember(memberContext(model, some, p), member('10.0.0.21'), {
          adminStateUp: 'yes' as unknown as boolean,
        }),
    ],
  ];
  for (const [why, code, message, run] of cases) it(`refuses ${why}`, () => expectModelError(run, { code, message }));

  it('changes what a patch gives and nothing else', () => {
    const [first] = some.listeners;
    const of = { loadBalancer: some, listener: first! };
    const { id: _id, key: _key, createdAt: _c, updatedAt: _u, defaultPool: _p, l7Policies: _l, ...attributes } = first!;
    expect(patchedListener(model, of, {})).to.deep.equal({ attributes, poolId: 'pool-p' });
    expect(patchedListener(model, of, { name: 'n', defaultPoolId: null })).to.deep.equal({
      attributes: { ...attributes, name: 'n' },
      poolId: undefined,
    });
    const context = { ...memberContext(model, some, p), placement: 'namespace' as const };
    expect(patchedPool(context, p, { algorithm: 'ROUND_ROBIN' })).to.include({ algorithm: 'ROUND_ROBIN', name: 'p' });
    expect(patchedMember(context, member('10.0.0.21'), { weight: 0, adminStateUp: false })).to.include({
      address: '10.0.0.21',
      weight: 0,
      adminStateUp: false,
    });
  });
});

describe('placement capabilities', () => {
  const outside: readonly Algorithm[] = ALGORITHMS;
  const served: Readonly<Record<Placement, readonly Algorithm[]>> = {
    switch: outside,
    namespace: outside,
    container: outside,
    vm: outside,
  };
  for (const placement of PLACEMENTS) {
    for (const algorithm of ALGORITHMS) {
      const draft = () => draftPoolFor(inUse, loadBalancer('new', { placement }), { algorithm }).pool;
      if (served[placement].includes(algorithm)) {
        it(`${placement} serves ${algorithm}`, () => expect(draft().algorithm).to.equal(algorithm));
      } else {
        it(`${placement} refuses ${algorithm} and names those that serve it`, () =>
          expectModelError(draft, {
            code: 'unsupported',
            message: `Provider '${placement}' does not support a requested option: lb_algorithm ${algorithm} (namespace, container, vm do)`,
          }));
      }
    }
  }
});

describe('member rules', () => {
  const context = memberContext(inUse, web, web.pools[0]!);
  const spec: MemberSpec = { address: '10.0.0.22', protocolPort: 80 };

  it('fills in defaults', () => {
    expect(draftMembers(context, [{ address: 'FD00::0022', protocolPort: 80 }], [])).to.deep.equal([
      { ...MEMBER_DEFAULTS, written: { 'fd00::22': 'FD00::0022' }, address: 'fd00::22', protocolPort: 80 },
    ]);
  });

  it('allows one address on two ports, and weights 0 to 256', () => {
    const drafts = draftMembers(
      context,
      [
        { ...spec, weight: 0 },
        { ...spec, protocolPort: 81, weight: 256 },
      ],
      [],
    );
    expect(drafts.map(({ weight }) => weight)).to.deep.equal([0, 256]);
  });

  const refused: readonly (readonly [...Refusal, Partial<MemberSpec>])[] = [
    ['no address', 'invalid', "address. Value: '10.0.0'. Value should be IPv4 or IPv6 format", { address: '10.0.0' }],
    ['metadata', 'invalid', '169.254.169.254 is not a valid option for member address', { address: '169.254.169.254' }],
    ['multicast', 'invalid', 'is not a unicast address', { address: 'ff02::1' }],
    [
      'an address outside',
      'invalid',
      'member address 10.9.0.1 lies in no subnet of network blue',
      { address: '10.9.0.1' },
    ],
    ['the broadcast address', 'invalid', 'broadcast', { address: '10.0.0.255' }],
    ['a balancer range', 'invalid', 'balancer range', { address: '10.0.0.240' }],
    [
      'a VIP',
      'conflict',
      'member address 10.0.0.100 is the VIP of load balancer web (lb-web)',
      { address: '10.0.0.100' },
    ],
    [
      'the same endpoint',
      'conflict',
      'Another member on this pool is already using ip 10.0.0.21 on protocol_port 80',
      { address: '10.0.0.21' },
    ],
    ['weight -1', 'invalid', "weight. Value: '-1'", { weight: -1 }],
    ['weight 257', 'invalid', "weight. Value: '257'. Value should be lower or equal to 256", { weight: 257 }],
    ['port 70000', 'invalid', "protocol_port. Value: '70000'", { protocolPort: 70_000 }],
    ['a long name', 'invalid', 'name', { name: long }],
  ];
  for (const [why, code, message, change] of refused) {
    it(`refuses ${why}`, () =>
      expectModelError(() => draftMembers(context, [{ ...spec, ...change }], web.pools[0]!.members), {
        code,
        message,
      }));
  }

  it('refuses the same endpoint twice in one request, however it is written', () => {
    const twice = [
      { address: 'fd00::1', protocolPort: 80 },
      { address: 'FD00:0::1', protocolPort: 80 },
    ];
    expectModelError(() => draftMembers(context, twice, []), { code: 'conflict', message: 'already using ip fd00::1' });
  });

  it('refuses a 1025th member', () => {
    const specs = Array.from({ length: 1024 }, (_, i) => ({ ...spec, protocolPort: i + 1 }));
    const outside = { ...context, placement: 'namespace' as const };
    const ofDatagrams = { ...outside, protocol: 'UDP' as const };
    expect(draftMembers(outside, specs, [])).to.have.length(1024);
    expect(draftMembers(context, specs.slice(0, 256), [])).to.have.length(256);
    expectModelError(() => draftMembers(context, specs.slice(0, 257), []), {
      code: 'unsupported',
      message:
        "Provider 'switch' does not support a requested option: a pool of 257 members (namespace, container, vm do)",
    });
    expectModelError(() => draftMembers(ofDatagrams, specs.slice(0, 257), []), {
      code: 'unsupported',
      message:
        "Provider 'namespace' does not support a requested option: a pool of 257 members with protocol UDP (no placement does)",
    });
    expectModelError(() => draftMembers(context, specs, [member('10.0.0.23')]), {
      code: 'conflict',
      message: 'members of a pool: 1025 are more than the limit of 1024',
    });
  });
});
