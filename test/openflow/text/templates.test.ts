// biome-ignore-all lint/suspicious/noTemplateCurlyInString: templates are strings with such variables
import { expect } from 'chai';
import { type FlowTemplate, parseFlow, parseTemplates, printFlow, TextError } from '../../../src/openflow/index.ts';
import { sampleTemplates } from './templates.ts';

const tables = { start: 0, next: 7 };
const parse = (text: string) => parseTemplates(text, { file: 'flows/t.flows', tables });
const one = (line: string): FlowTemplate => parse(`#@ unit\n${line}`)[0]!;

/** The error of `run`; fails when there is none. */
function errorOf(run: () => unknown): TextError {
  try {
    run();
  } catch (error) {
    expect(error).to.be.instanceOf(TextError);
    return error as TextError;
  }
  throw new Error('no error');
}

describe('flow templates', () => {
  it('are read in units, with their lines', () => {
    const text =
      '# comment\n#@ first\ntable=start actions=drop\n\n#@ second_unit\n# more\nip actions=1\nipv6 actions=2\n';
    expect(parse(text).map(({ unit, line }) => [unit, line])).to.deep.equal([
      ['first', 3],
      ['second_unit', 7],
      ['second_unit', 8],
    ]);
  });

  it('are several where a unit names words, each with its word', () => {
    const [tcp, udp, other] = parse('#@ unit6 tcp|udp|sctp\ntcp6,tp_dst=${x} actions=drop');
    expect([tcp, udp, other].map((template) => template?.unit)).to.deep.equal(['unit6', 'unit6/udp', 'unit6/sctp']);
    expect(udp!.instantiate({ x: 53 })).to.deep.equal(parseFlow('udp6,tp_dst=53 actions=drop'));
    expect(tcp!.instantiate({ x: 53 })).to.deep.equal(parseFlow('tcp6,tp_dst=53 actions=drop'));
    expect(errorOf(() => parse('#@ unit tcp|\n')).message).to.match(/expected a unit name/);
  });

  it('name their variables once, in order', () => {
    expect(one('reg0=${b},reg1=${a},reg2=${b} actions=output:${c}').variables).to.deep.equal(['b', 'a', 'c']);
  });

  it('are the same as the text with the values in place of the variables', () => {
    for (const { template, variables } of sampleTemplates()) {
      const flow = template.instantiate(variables);
      expect(Object.isFrozen(flow)).to.equal(true);
      expect(parseFlow(printFlow(flow)), printFlow(flow)).to.deep.equal(flow);
    }
  });

  const cases: readonly (readonly [line: string, variables: Record<string, string | number>, text: string])[] = [
    ['in_port=${x} actions=drop', { x: 'LOCAL' }, 'in_port=LOCAL actions=drop'],
    ['in_port=${x} actions=output:${y}', { x: 4, y: 0xfffe }, 'in_port=4 actions=LOCAL'],
    ['dl_vlan=${x} actions=drop', { x: 5 }, 'dl_vlan=5 actions=drop'],
    ['dl_vlan=${x} actions=drop', { x: '0xffff' }, 'dl_vlan=0xffff actions=drop'],
    ['ip,nw_dst=${x} actions=drop', { x: '10.0.0.0/8' }, 'ip,nw_dst=10.0.0.0/8 actions=drop'],
    ['ipv6,ipv6_dst=${x} actions=drop', { x: 'fd00::/64' }, 'ipv6,ipv6_dst=fd00::/64 actions=drop'],
    ['ct_state=${x} actions=drop', { x: '+new+trk' }, 'ct_state=+new+trk actions=drop'],
    ['xreg0=${x} actions=drop', { x: 0x5_0000_0006 }, 'reg0=5,reg1=6 actions=drop'],
    ['metadata=${x} actions=write_metadata:${x}/0xff', { x: '7' }, 'metadata=7 actions=write_metadata:7/0xff'],
    ['cookie=${x},priority=${y} actions=drop', { x: 9, y: 3 }, 'cookie=9,priority=3 actions=drop'],
    ['table=${x} actions=goto_table:${y}', { x: 'start', y: 'next' }, 'table=0 actions=goto_table:7'],
    ['actions=load:${x}->reg0[8..15]', { x: 3 }, 'actions=set_field:0x300/0xff00->reg0'],
    ['actions=set_field:${x}->reg0', { x: '1/3' }, 'actions=set_field:1/3->reg0'],
    [
      'actions=set_field:${x}->eth_dst,clone(group:${y})',
      { x: 'aa:bb:cc:00:01:02', y: 3 },
      'actions=set_field:aa:bb:cc:0:1:2->eth_dst,clone(group:3)',
    ],
    [
      'ip actions=ct(commit,zone=${z},nat(dst=${a}:${p}))',
      { z: 1, a: '10.0.0.1', p: 80 },
      'ip actions=ct(commit,zone=1,nat(dst=10.0.0.1:80))',
    ],
    [
      'ipv6 actions=ct(commit,nat(dst=[${a}]:${p}-${q}))',
      { a: 'fd00::1', p: 80, q: 90 },
      'ipv6 actions=ct(commit,nat(dst=[fd00::1]:80-90))',
    ],
    ['ip actions=ct(commit,nat(src=${a}))', { a: '10.0.0.1' }, 'ip actions=ct(commit,nat(src=10.0.0.1))'],
    ['ipv6 actions=ct(commit,nat(src=${a}))', { a: 'fd00::1' }, 'ipv6 actions=ct(commit,nat(src=fd00::1))'],
    [
      'ip actions=ct(commit,exec(set_field:${m}->ct_mark))',
      { m: 5 },
      'ip actions=ct(commit,exec(set_field:5->ct_mark))',
    ],
    ['actions=resubmit(${p},${t}),CONTROLLER:${l}', { p: 3, t: 7, l: 64 }, 'actions=resubmit(3,7),CONTROLLER:64'],
  ];
  for (const [line, variables, text] of cases) {
    it(`${line} with ${JSON.stringify(variables)}`, () => {
      expect(one(line).instantiate(variables)).to.deep.equal(parseFlow(text));
    });
  }

  it('make a flow of its own each time', () => {
    const template = one('reg0=${x} actions=output:${y},set_field:1->reg1');
    const first = template.instantiate({ x: 1, y: 2 });
    expect(template.instantiate({ x: 3, y: 4 })).to.deep.equal(parseFlow('reg0=3 actions=output:4,set_field:1->reg1'));
    expect(first).to.deep.equal(parseFlow('reg0=1 actions=output:2,set_field:1->reg1'));
  });

  it('ignore variables that other flows of their unit need', () => {
    expect(one('reg0=${x} actions=drop').instantiate({ x: 1, other: 2 })).to.deep.equal(
      parseFlow('reg0=1 actions=drop'),
    );
  });

  const wrong: readonly (readonly [line: string, variables: Record<string, string | number>, message: string])[] = [
    ['reg0=${x} actions=output:${y}', { x: 1 }, 'flows/t.flows:2: variable y: is not given'],
    ['reg0=${x} actions=drop', { x: 2 ** 32 }, 'flows/t.flows:2:6: variable x: 4294967296 is out of range for 32 bits'],
    ['reg0=${x} actions=drop', { x: -1 }, 'flows/t.flows:2:6: variable x: -1 is out of range for 32 bits'],
    ['reg0=${x} actions=drop', { x: 1.5 }, "flows/t.flows:2:6: variable x: expected an integer, not '1.5'"],
    [
      'ip,nw_src=${x} actions=drop',
      { x: 'fd00::1' },
      "flows/t.flows:2:11: variable x: expected an IPv4 address, not 'fd00::1'",
    ],
    ['ip,nw_src=${x} actions=drop', { x: '0.0.0.0/0' }, 'flows/t.flows:2:11: variable x: ip_src would match anything'],
    [
      'actions=set_field:${x}->eth_src',
      { x: '02:00' },
      "flows/t.flows:2:19: variable x: expected a MAC address, not '02:00'",
    ],
    ['tcp,tp_dst=${x} actions=drop', { x: 70000 }, 'flows/t.flows:2:12: variable x: 70000 is out of range for 16 bits'],
    ['actions=goto_table:${x}', { x: 'nowhere' }, "flows/t.flows:2:20: variable x: unknown table 'nowhere'"],
    ['in_port=${x} actions=drop', { x: 'tap3' }, "flows/t.flows:2:9: variable x: unknown port 'tap3'"],
    ['priority=${x} actions=drop', { x: 65536 }, 'flows/t.flows:2:10: variable x: 65536 is out of range for 16 bits'],
  ];
  for (const [line, variables, message] of wrong) {
    it(`say what is wrong: ${line} with ${JSON.stringify(variables)}`, () => {
      expect(errorOf(() => one(line).instantiate(variables)).message).to.equal(message);
    });
  }

  const unreadable: readonly (readonly [text: string, message: string])[] = [
    ['ip actions=drop', "flows/t.flows:1: a flow before the first '#@ unit' line"],
    ['#@ two words', "flows/t.flows:1: expected a unit name after '#@', not 'two words'"],
    ['#@ u\nreg0=x${a} actions=drop', "flows/t.flows:2:6: a variable must be a whole value at 'x${a}'"],
    ['#@ u\n\nfoo=1 actions=drop', "flows/t.flows:3:1: unknown field 'foo'"],
    [
      '#@ u\nvlan_tci=${x} actions=drop',
      "flows/t.flows:2:1: vlan_tci cannot be a variable; dl_vlan can at 'vlan_tci=${x}'",
    ],
  ];
  for (const [text, message] of unreadable) {
    it(`say where a file cannot be read: ${JSON.stringify(text)}`, () => {
      expect(errorOf(() => parse(text)).message).to.equal(message);
    });
  }
});
