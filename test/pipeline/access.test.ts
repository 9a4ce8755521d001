/** Listeners in the switch that let in only some (`allowed_cidrs`). */
import { expect } from 'chai';
import type { ReturnPath } from '../../src/model/types.ts';
import { printFlow } from '../../src/openflow/index.ts';
import { createDesired } from '../../src/pipeline/desired.ts';
import { TABLES } from '../../src/pipeline/tables.ts';
import { blue, member } from '../model/fixtures.ts';
import { balancerView, balancing, hostView, macOf, portView } from '../support/model.ts';

/** What gives clients' new connections to a group, and what refuses them: source → where it goes. */
function admission(table: 'select' | 'service', allowedCidrs: readonly string[], returnPath: ReturnPath = 'balancer') {
  const members = ['10.0.0.21', 'fd00::21'].map((address) => member(address));
  const web = balancing('web', members, { vips: ['10.0.0.100', 'fd00::100'], returnPath });
  const listeners = web.listeners.map((one) => ({ ...one, allowedCidrs }));
  const desired = createDesired();
  desired.update(
    hostView({
      ports: [portView(1)],
      balancers: [balancerView({ ...web, listeners })],
      neighbours: { [blue.id]: { '10.0.0.21': macOf(21), 'fd00::21': macOf(22) } },
    }),
  );
  return [...desired.flows.values()]
    .map(({ value }) => value)
    .filter(({ tableId, match }) => tableId === TABLES[table] && match.tcp_dst === 80)
    .map((flow) => printFlow(flow))
    .flatMap((line) => {
      const [, source = 'any'] = /(?:nw_src|ipv6_src)=([^, ]+)/.exec(line) ?? [];
      const [, action = ''] = /actions=(?:set_field:\w+->reg8,)?(group|drop)/.exec(line) ?? [];
      const family = line.includes('fd00::100') ? 6 : 4;
      return action === '' ? [] : [`IPv${family} ${source} ${action}`];
    })
    .sort();
}

describe('listeners of placement switch', () => {
  it('let everybody in when told nothing', () => {
    expect(admission('select', [])).to.deep.equal(['IPv4 any group', 'IPv6 any group']);
  });

  it('let in the CIDRs of each family and nobody else', () => {
    expect(admission('select', ['10.0.0.0/25', '10.0.0.200/32', 'fd00::/64'])).to.deep.equal([
      'IPv4 10.0.0.0/25 group',
      'IPv4 10.0.0.200 group',
      'IPv4 any drop',
      'IPv6 any drop',
      'IPv6 fd00::/64 group',
    ]);
  });

  it('let in nobody of a family without CIDRs', () => {
    expect(admission('select', ['10.0.0.0/25'])).to.deep.equal([
      'IPv4 10.0.0.0/25 group',
      'IPv4 any drop',
      'IPv6 any drop',
    ]);
  });

  it('let in everybody of a family whose CIDR is of length 0', () => {
    expect(admission('select', ['10.0.0.0/25', '0.0.0.0/0', '::/0'])).to.deep.equal([
      'IPv4 any group',
      'IPv6 any group',
    ]);
  });

  it('do the same where members answer themselves, for every packet', () => {
    const allowed = ['10.0.0.0/25', '::/0'];
    for (const table of ['service', 'select'] as const) {
      expect(admission(table, allowed, 'direct'), table).to.deep.equal([
        'IPv4 10.0.0.0/25 group',
        'IPv4 any drop',
        'IPv6 any group',
      ]);
    }
  });
});
