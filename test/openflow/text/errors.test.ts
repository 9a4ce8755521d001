import { execFileSync } from 'node:child_process';
import { expect } from 'chai';
import fc from 'fast-check';
import {
  encodeMessage,
  flowBody,
  flowKey,
  flowMod,
  parseActions,
  parseFlow,
  parseGroup,
  parseMatch,
  parseTemplates,
  printActions,
  printFlow,
  printMatch,
  TextError,
} from '../../../src/openflow/index.ts';
import { flows, groups } from './samples.ts';

/** Text, what is said about it. All but those of `ours` are refused by ovs-ofctl, too. */
const wrong: readonly (readonly [text: string, message: string])[] = [
  ['tcp', "1: expected 'actions=' at 'tcp'"],
  ['foo=1 actions=drop', "1: unknown field 'foo'"],
  ['foo actions=drop', "1: unknown field or protocol 'foo'"],
  ['ip actions=fly:1', "12: unknown action 'fly'"],
  ['ip actions=fly', "12: unknown action or port 'fly'"],
  ['ip,nw_src=10.0.0.0/33 actions=drop', '11: a prefix has at most 32 bits, not 33'],
  ['ipv6,ipv6_src=fd00:::1 actions=drop', "15: expected an IPv6 address, not 'fd00:::1'"],
  ['dl_src=02:00:00:00:00 actions=drop', "8: expected a MAC address, not '02:00:00:00:00'"],
  ['tcp,tp_dst=65536 actions=drop', '12: 65536 is out of range for 16 bits'],
  [
    'ct_state=+gone actions=drop',
    "10: unknown flag 'gone' of ct_state, expected new, est, rel, rpl, inv, trk, snat, dnat",
  ],
  ['ct_state=+new-new actions=drop', "10: flag 'new' is given twice"],
  ['ip,nw_frag=some actions=drop', "12: expected one of no, yes, first, later, not_later, not 'some'"],
  [
    'ct_state=+trk,ip,ct_nw_src=10.0.0.1 actions=drop',
    "18: ct_nw_src needs ip with a ct_state of +new, +est, +rel, +rpl or +trk-inv in the match at 'ct_nw_src=10.0.0.1'",
  ],
  ['actions=ct(commit)', "9: ct needs ip or ipv6 in the match at 'ct(commit)'"],
  ['ip actions=ct(sometimes)', "15: unknown option 'sometimes' of ct"],
  [
    'ip actions=ct(commit,nat(src=10.0.0.1,dst=10.0.0.2))',
    "22: nat has either src or dst at 'nat(src=10.0.0.1,dst=10.0.0.2)'",
  ],
  ['ip actions=ct(exec(set_field:1->ct_mark))', "12: exec needs commit at 'ct(exec(set_field:1->ct_mark))'"],
  ['ip actions=ct(commit,exec(set_field:1->reg0))', "27: exec sets ct_mark and ct_label only at 'set_field:1->reg0'"],
  ['ip actions=ct(commit,exec(output:1))', "27: exec sets ct_mark and ct_label only at 'output:1'"],
  ['actions=65535', "9: nothing can be output to port ANY at '65535'"],
  ['actions=output:ANY', '16: nothing can be output to port ANY'],
  ['actions=pop_vlan', '9: pop_vlan needs a VLAN tag (dl_vlan or vlan_tci) in the match'],
  ['actions=dec_ttl', '9: dec_ttl needs ip or ipv6 in the match'],
  ['arp actions=set_field:10.0.0.1->ip_src', '33: ip_src needs ip in the match'],
  ['ip actions=set_field:1->ip_frag', '25: ip_frag cannot be set'],
  ['actions=set_field:1', "19: expected '->' at '1'"],
  ['actions=move:reg0->reg1[0..15]', "9: cannot move 32 bits to 16 at 'move:reg0->reg1[0..15]'"],
  ['actions=move:reg0[0..40]->reg1', "14: reg0 has bits 0 to 31 at 'reg0[0..40]'"],
  ['actions=move:foo->reg1', "14: unknown field 'foo'"],
  ['actions=load:0x1ffff->reg0[0..15]', '14: 0x1ffff is out of range for 16 bits'],
  ['actions=goto_table:7,output:1', "22: actions come before instructions at 'output:1'"],
  [
    'actions=goto_table:7,write_metadata:1',
    "22: write_metadata must come before goto_table, once at 'write_metadata:1'",
  ],
  ['actions=output:1,drop', "18: unknown action or port 'drop'"],
  ['actions=group:x', "15: expected an integer, not 'x'"],
  ['actions=output:tap7', "16: unknown port 'tap7'"],
  ['table=nowhere actions=drop', "7: unknown table 'nowhere'"],
  ['priority=65536 actions=drop', '10: 65536 is out of range for 16 bits'],
  ['actions=resubmit()', "9: resubmit needs a port or table at 'resubmit()'"],
  ['actions=note:xyz', "9: expected bytes like 0a.1b at 'note:xyz'"],
  ['actions=conjunction(1,3/2)', "23: a conjunction has 2 to 64 clauses at '3/2'"],
];
/** What this library refuses although ovs-ofctl takes it, and drops a field or reads another value. */
const ours: readonly (readonly [text: string, message: string])[] = [
  ['nw_src=10.0.0.1 actions=drop', "1: ip_src needs ip in the match at 'nw_src=10.0.0.1'"],
  ['ip,tp_dst=80 actions=drop', "4: tcp_dst needs tcp or tcp6 in the match at 'tp_dst=80'"],
  ['in_port=1,in_port=2 actions=drop', "11: in_port is given twice at 'in_port=2'"],
];

function messageOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    expect(error).to.be.instanceOf(TextError);
    return (error as TextError).message;
  }
  return 'no error';
}

function refusedByOfctl(text: string): boolean {
  try {
    const printed = execFileSync('ovs-ofctl', ['-O', 'OpenFlow15', 'parse-flow', text], {
      encoding: 'utf8',
      stdio: 'pipe',
    });
    return printed.includes('***decode error');
  } catch {
    return true;
  }
}

describe('errors in flow syntax', () => {
  for (const [text, message] of wrong) {
    it(text, () => {
      expect(messageOf(() => parseFlow(text, { tables: { here: 1 } }))).to.equal(message);
      expect(refusedByOfctl(text), 'ovs-ofctl takes it').to.equal(true);
    });
  }
  for (const [text, message] of ours) it(text, () => expect(messageOf(() => parseFlow(text))).to.equal(message));

  it('tell where and what apart from the message', () => {
    try {
      parseFlow('ip,nw_src=10.0.0.300 actions=drop');
      expect.fail('no error');
    } catch (error) {
      expect((error as TextError).place).to.deep.equal({ column: 11, token: '10.0.0.300' });
    }
  });

  for (const [text, message] of [
    ['type=all,bucket=1', "1: a group needs group_id and type at 'type=all,bucket=1'"],
    ['group_id=1,type=odd', "12: expected all, select, indirect or ff at 'type=odd'"],
    ['group_id=1,type=indirect', "1: an indirect group has one bucket at 'group_id=1,type=indirect'"],
    ['group_id=1,type=all,bucket=weight:70000,output:1', '28: 70000 is out of range for 16 bits'],
    ['group_id=1,type=all,bucket=weight:1', "28: a bucket needs actions at 'weight:1'"],
    [
      'group_id=1,type=select,fields(ip_src),bucket=1',
      "1: fields need selection_method=hash at 'group_id=1,type=select,fields(ip_src),bucket=1'",
    ],
    ['group_id=0xffffff00,type=all', "1: group_id is less than 4294967040 at 'group_id=0xffffff00'"],
  ] as const) {
    it(text, () => expect(messageOf(() => parseGroup(text))).to.contain(message.replace(/^\d+: /, '')));
  }
});

describe('text at random', () => {
  const pieces = [...flows, ...groups].flatMap((line) => line.split(/(?=[,\s=:()[\]/+-])/));
  const text = fc.oneof(
    fc
      .array(fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...pieces) }, fc.string({ maxLength: 3 })), {
        maxLength: 12,
      })
      .map((list) => list.join('')),
    fc
      .tuple(fc.constantFrom(...flows, ...groups), fc.nat(200), fc.string({ maxLength: 2 }))
      .map(([line, at, more]) => line.slice(0, at) + more + line.slice(at + 1)),
    fc.string(),
  );
  const parsers: readonly ((text: string) => unknown)[] = [
    parseFlow,
    parseMatch,
    parseActions,
    parseGroup,
    (line) => parseFlow(`${line} actions=drop`),
    (line) => parseFlow(`ip actions=${line}`),
    (line) => parseTemplates(`#@ u\n${line}`, { file: 'f' }),
  ];
  it('is parsed or refused by a TextError', () => {
    fc.assert(
      fc.property(text, (line) => {
        for (const parser of parsers) {
          try {
            parser(line);
          } catch (error) {
            if (!(error instanceof TextError)) throw error;
          }
        }
      }),
      { numRuns: 3000 },
    );
  });

  it('that is parsed can be sent, printed and parsed to the same', () => {
    let parsed = 0;
    fc.assert(
      fc.property(text, (line) => {
        let flow: ReturnType<typeof parseFlow>;
        try {
          flow = parseFlow(line);
        } catch {
          return;
        }
        parsed++;
        encodeMessage(flowMod(flow, { command: 'add' }), '1.5');
        const again = parseFlow(printFlow(flow));
        expect(flowKey(again)).to.equal(flowKey(flow));
        if (!line.includes('enqueue')) expect(flowBody(again)).to.equal(flowBody(flow));
      }),
      { numRuns: 3000 },
    );
    expect(parsed).to.be.greaterThan(100);
  });
});

describe('matches and actions by themselves', () => {
  it('are parsed and printed', () => {
    expect(parseMatch('tcp,nw_dst=10.0.0.1')).to.deep.equal({ eth_type: 0x800, ip_dst: 0x0a00_0001, nw_proto: 6 });
    expect(printMatch(parseMatch('nw_dst=10.0.0.1,tcp'))).to.equal('tcp,nw_dst=10.0.0.1');
    expect(printActions(parseActions('dec_ttl,output:2'))).to.equal('dec_ttl,output:2');
    expect(parseActions('drop')).to.deep.equal([]);
    expect(() => parseActions('dec_ttl', { match: 'arp' })).to.throw(TextError, 'dec_ttl needs ip or ipv6');
  });

  it('have names for tables and ports where these are given', () => {
    const options = { tables: { start: 0, next: 7 }, ports: { tap1: 5 } };
    const text = 'table=next, in_port=tap1 actions=resubmit(tap1,start),ct_clear,output:tap1,goto_table:next';
    const flow = parseFlow(text, options);
    expect(flow).to.deep.equal(parseFlow('table=7,in_port=5 actions=resubmit(5,0),ct_clear,output:5,goto_table:7'));
    expect(printFlow(flow, options)).to.equal(text);
  });
});
