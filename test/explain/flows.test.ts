import { expect } from 'chai';
import fc from 'fast-check';
import { annotate, asBundle, explainFlows, onlyOf, wordsOf } from '../../src/explain/flows.ts';
import { createNames } from '../../src/explain/names.ts';
import { recognise, templateWords } from '../../src/explain/templates.ts';
import { parseFlow, printFlow } from '../../src/openflow/index.ts';
import { createDesired } from '../../src/pipeline/desired.ts';
import { COOKIE } from '../../src/pipeline/ids.ts';
import { TABLES } from '../../src/pipeline/tables.ts';
import { blue, member } from '../model/fixtures.ts';
import { anyView } from '../pipeline/worlds.ts';
import { balancerView, balancing, hostView, macOf, portView } from '../support/model.ts';
import { known, seen } from './world.ts';

const web = balancing('web', [member('10.0.0.21'), member('10.0.0.22')], { vips: ['10.0.0.100', 'fd00::100'] });
const out = balancing('out', [member('10.0.0.21')], { vips: ['10.0.0.101'], placement: 'namespace' });
const { text, facts } = known({
  view: hostView({
    ports: [portView(1), portView(2)],
    uplinks: [{ ofport: 9, tag: undefined }],
    balancers: [balancerView(web), balancerView(out, { plug: 5 })],
    neighbours: { [blue.id]: { '10.0.0.21': macOf(2) } },
    addresses: { [blue.id]: ['10.0.0.240'] },
  }),
  loadBalancers: [web, out],
  ports: [seen('c1', 1), seen('s1', 2)],
});
const names = createNames(facts);
const all = explainFlows(text, names);

describe('flows in words', () => {
  it('every template has words', () => {
    for (const { unit, words } of templateWords())
      expect(words, `a '#:' line in unit ${unit} of flows/`).to.not.equal('');
  });

  it('every flow is recognised and told without a hole, whatever happens on the host', () => {
    fc.assert(
      fc.property(anyView, (view) => {
        const desired = createDesired();
        desired.update(view);
        for (const { value } of desired.flows.values()) {
          const words = wordsOf(value, names);
          expect(words, printFlow(value)).to.not.equal('').and.not.include('${');
        }
      }),
      { numRuns: 40 },
    );
  });

  it('a flow that is none of the templates is not taken for one', () => {
    const flows = [
      'table=0,priority=0 actions=NORMAL',
      'table=scope,priority=100,reg2=5 actions=drop',
      'table=scope,priority=100,reg2=5,reg3=1 actions=goto_table:answer',
      'table=scope,priority=101,reg2=5 actions=goto_table:answer',
      'table=answer,priority=100,reg2=5 actions=goto_table:answer_nd',
    ];
    for (const line of flows) expect(recognise(parseFlow(line, { tables: TABLES })), line).to.equal(undefined);
  });

  it('names network, VM, load balancer, member, zone and owner', () => {
    const of = (table: string, match: string) =>
      all.flows
        .filter((line) => line.table === table && line.text.includes(match))
        .map(({ words }) => words)
        .join('\n');
    expect(of('ingress', 'in_port=1,')).to.include('VM c1').and.include('blue');
    expect(of('ingress', 'in_port=5')).to.include('balancer of out');
    expect(of('vip', 'arp_tpa=10.0.0.100')).to.include('10.0.0.100').and.include('web');
    expect(of('service', 'tp_dst=80')).to.match(/zone \d+ \(service, network blue\)/);
    expect(of('commit', 'reg6')).to.include('10.0.0.21:80');
    expect(of('deliver', 'nw_dst=10.0.0.21')).to.include(`${macOf(2)} (VM s1)`);
    expect(all.groups.find(({ object }) => object.includes('web'))?.words).to.match(
      /256 slots: 256 × .*10\.0\.0\.21:80/,
    );
  });

  it('comments stay comments: what is left are the flows, each once and in order', () => {
    const lines = annotate(all, names)
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
    expect(lines).to.deep.equal(all.flows.map((line) => line.text));
  });

  it('those of one object have its cookie, and together with the rest they are all', () => {
    const lb = onlyOf(all, { kind: 'lb', name: 'web' }, names)!;
    const cookies = new Set(lb.flows.map(({ flow }) => flow.cookie));
    expect([...cookies]).to.deep.equal([COOKIE.value | 0x05_0000_0000_00n | BigInt(web.key)]);
    expect(lb.groups).to.have.length(2);
    const others = [
      onlyOf(all, { kind: 'lb', name: 'out' }, names),
      onlyOf(all, { kind: 'network', name: 'blue' }, names),
      onlyOf(all, { kind: 'vm', name: 'c1' }, names),
      onlyOf(all, { kind: 'vm', name: 's1' }, names),
      onlyOf(all, { kind: 'host', name: '' }, names),
    ];
    const count = [lb, ...others].reduce((sum, part) => sum + part!.flows.length, 0);
    expect(count).to.equal(all.flows.length);
    expect(onlyOf(all, { kind: 'lb', name: 'nope' }, names)).to.equal(undefined);
  });

  it('raw text has numbers for tables, and no comments but for meters, which no bundle takes', () => {
    const lines = asBundle(all).trim().split('\n');
    const raw = lines.filter((line) => !line.startsWith('# before: ovs-ofctl -O OpenFlow15 add-meter '));
    expect(raw.join('\n')).to.not.match(/#|table=[a-z]|goto_table:[a-z]/);
    expect(raw).to.have.length(all.flows.length + all.groups.length);
    expect(lines.length - raw.length).to.equal(all.meters.length);
  });
});
