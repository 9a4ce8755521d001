import { once } from 'node:events';
import { connect } from 'node:net';
import { expect } from 'chai';
import { canonicalActions, canonicalInstructions } from '../../../src/openflow/canonical.ts';
import {
  decodeMessage,
  encodeBuckets,
  encodeInstructions,
  encodeMatch,
  encodeMessage,
} from '../../../src/openflow/codec.ts';
import type { Action } from '../../../src/openflow/protocol/action.ts';
import { FLOW_MOD_DEFAULTS } from '../../../src/openflow/protocol/flow.ts';
import type { Bucket } from '../../../src/openflow/protocol/group.ts';
import type { Instruction } from '../../../src/openflow/protocol/instruction.ts';
import type { Match } from '../../../src/openflow/protocol/match.ts';
import type { Message, MessageOf } from '../../../src/openflow/protocol/message.ts';
import { METER_ALL, METER_COMMAND, METER_FLAG, type MeterBand } from '../../../src/openflow/protocol/meter.ts';
import type { Version } from '../../../src/openflow/wire/schema.ts';
import { type Ovs, startOvs } from '../../support/ovs.ts';

/** Sends messages to a bridge and returns what it answers, up to the reply to a barrier behind them. */
async function exchange(remote: string, version: Version, messages: readonly Message[]): Promise<Message[]> {
  const socket = connect(remote.replace(/^unix:/, ''));
  const replies: Message[] = [];
  let pending = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    pending = Buffer.concat([pending, chunk]);
    while (pending.length >= 8 && pending.length >= pending.readUInt16BE(2)) {
      const length = pending.readUInt16BE(2);
      const reply = decodeMessage(pending.subarray(0, length));
      pending = pending.subarray(length);
      if (reply.kind === 'barrier_reply') socket.end();
      replies.push(reply);
    }
  });
  const hello: Message = { kind: 'hello', xid: 1, elements: [] };
  for (const message of [hello, ...messages, { kind: 'barrier_request', xid: 2 } as const]) {
    socket.write(encodeMessage(message, version));
  }
  await once(socket, 'close');
  return replies;
}

function only<K extends Message['kind']>(replies: readonly Message[], kind: K): MessageOf<K> {
  expect(replies.filter((reply) => reply.kind === 'error')).to.deep.equal([]);
  const found = replies.filter((reply): reply is MessageOf<K> => reply.kind === kind);
  expect(found).to.have.length(1);
  return found[0]!;
}

const apply = (...actions: Action[]): Instruction[] => [{ kind: 'apply_actions', actions }];
const output: Action = { kind: 'output', port: 1, maxLen: 0 };
const fd00 = 0xfd00n << 112n;
const tcp = { eth_type: 0x800, nw_proto: 6 } as const;

/** Flows that Open vSwitch keeps in another form than they were sent in. */
const flows: readonly (readonly [name: string, match: Match, instructions: readonly Instruction[]])[] = [
  ['one register', { reg0: 5 }, apply(output)],
  ['registers, whole and in part', { reg1: 5, reg2: { value: 1, mask: 3 }, reg15: 7 }, apply(output)],
  ['a wide register', { xxreg0: { value: 5n << 64n, mask: 0xffn << 64n } }, apply(output)],
  [
    'metadata, marks and connection state',
    {
      ...tcp,
      metadata: { value: 1n, mask: 1n },
      pkt_mark: 3,
      ct_state: { value: 0x21, mask: 0x21 },
      ct_label: { value: 1n << 100n, mask: 1n << 100n },
    },
    apply(output),
  ],
  [
    'masks of all ones',
    { ...tcp, ip_dst: { value: 7, mask: 0xffff_ffff }, tcp_dst: { value: 80, mask: 0xfff0 } },
    apply(output),
  ],
  ['TCP flags', { ...tcp, tcp_flags: { value: 0x10, mask: 0x17 } }, apply(output)],
  [
    'VLAN',
    { vlan_vid: 0x1005, eth_src: { value: 0x0100_0000_0000, mask: 0x0100_0000_0000 } },
    apply({ kind: 'pop_vlan' }, output),
  ],
  ['no VLAN', { vlan_vid: 0 }, apply(output)],
  [
    'load',
    tcp,
    apply(
      { kind: 'load', dst: 'reg0', ofsNbits: (3 << 6) | 4, value: 5n },
      { kind: 'load', dst: 'reg1', ofsNbits: 31, value: 9n },
      output,
    ),
  ],
  ['set_field of an address', tcp, apply({ kind: 'set_field', field: 'ip_dst', value: 5 }, output)],
  [
    'neighbour discovery',
    { eth_type: 0x86dd, nw_proto: 58, icmpv6_type: 135, nd_target: fd00 },
    apply(
      { kind: 'move', src: 'ipv6_src', dst: 'ipv6_dst', srcOffset: 0, dstOffset: 0, nBits: 128 },
      { kind: 'set_field', field: 'nd_options_type', value: 2 },
      { kind: 'set_field', field: 'nd_reserved', value: 0x6000_0000 },
      { kind: 'set_field', field: 'icmpv6_type', value: 136 },
      { kind: 'resubmit_table', inPort: 0xfff8, tableId: 3 },
    ),
  ],
  [
    'ct with nat and exec',
    { ...tcp, ct_state: { value: 0x21, mask: 0x21 } },
    apply({
      kind: 'ct',
      flags: 1,
      zone: 5,
      tableId: 9,
      alg: 0,
      actions: [
        { kind: 'nat', flags: 2, ipv4Min: 0x0a00_0001, portMin: 80 },
        { kind: 'load', dst: 'ct_mark', ofsNbits: 31, value: 1n },
        { kind: 'load', dst: 'ct_label', ofsNbits: (96 << 6) | 31, value: 3n },
      ],
    }),
  ],
  ['instructions in any order', tcp, [{ kind: 'goto_table', tableId: 7 }, ...apply(output)]],
  ['set_field with a mask', tcp, apply({ kind: 'set_field', field: 'reg0', value: 0x1428, mask: 0xfff8 }, output)],
  ['nothing', { in_port: 4 }, []],
];

const buckets: readonly Bucket[] = [1, 2].map((i) => ({
  bucketId: i,
  weight: i,
  actions: [
    { kind: 'set_field', field: 'eth_dst', value: i },
    { kind: 'load', dst: 'reg1', ofsNbits: 31, value: BigInt(i) },
    { kind: 'output', port: i, maxLen: 0 },
  ],
}));

describe('what Open vSwitch keeps of what was sent', () => {
  let ovs: Ovs;
  before(async () => {
    ovs = await startOvs({ bridge: 'br0' });
  });
  after(() => ovs?.stop());

  for (const version of ['1.3', '1.5'] as const) {
    for (const [name, match, instructions] of flows) {
      it(`OpenFlow ${version}: a flow with ${name} reads back equal`, async () => {
        const sent = canonicalInstructions(instructions, version);
        const all: Message = { ...FLOW_MOD_DEFAULTS, kind: 'flow_mod', xid: 3, command: 3, tableId: 255 };
        const add: Message = { ...FLOW_MOD_DEFAULTS, kind: 'flow_mod', xid: 4, cookie: 6n, match, instructions: sent };
        const ask = { kind: 'flow_stats_request', xid: 5, flags: 0, tableId: 255, cookie: 0n, cookieMask: 0n } as const;
        const request: Message = { ...ask, outPort: 0xffff_ffff, outGroup: 0xffff_ffff, match: {} };
        const reply = only(await exchange(ovs.mgmt, version, [all, add, request]), 'flow_stats_reply');
        expect(reply.flows).to.have.length(1);
        const [flow] = reply.flows;
        expect(flow).to.include({ cookie: 6n, tableId: 0, priority: 0x8000, packetCount: 0n });
        expect(encodeMatch(flow!.match, version)).to.deep.equal(encodeMatch(match, version));
        expect(encodeInstructions(flow!.instructions, version)).to.deep.equal(
          encodeInstructions(instructions, version),
        );
      });
    }

    it(`OpenFlow ${version}: a select group reads back equal`, async () => {
      const sent = buckets.map((one) => ({ ...one, actions: canonicalActions(one.actions, version) }));
      const remove: Message = { kind: 'group_mod', xid: 3, command: 2, type: 0, groupId: 0xffff_fffc, buckets: [] };
      const add: Message = { kind: 'group_mod', xid: 4, command: 0, type: 1, groupId: 7, buckets: sent };
      const request: Message = { kind: 'group_desc_request', xid: 5, flags: 0, groupId: 0xffff_fffc };
      const reply = only(await exchange(ovs.mgmt, version, [remove, add, request]), 'group_desc_reply');
      expect(reply.groups.map(({ groupId, type }) => [groupId, type])).to.deep.equal([[7, 1]]);
      expect(encodeBuckets(reply.groups[0]!.buckets, version)).to.deep.equal(encodeBuckets(buckets, version));
    });

    it(`OpenFlow ${version}: a meter reads back equal, with statistics, and is what a flow may name`, async () => {
      const flags = METER_FLAG.pktps | METER_FLAG.burst | METER_FLAG.stats;
      const bands: MeterBand[] = [{ kind: 'drop', rate: 100, burstSize: 20 }];
      const of = { flags: 0, meterId: 9 } as const;
      const limited = canonicalInstructions([{ kind: 'apply_actions', actions: [output] }], version);
      const metered: Instruction[] =
        version === '1.3' ? [{ kind: 'meter', meterId: 9 }, ...limited] : apply({ kind: 'meter', meterId: 9 }, output);
      const replies = await exchange(ovs.mgmt, version, [
        { ...FLOW_MOD_DEFAULTS, kind: 'flow_mod', xid: 3, command: 3, tableId: 255 },
        { kind: 'meter_mod', xid: 4, command: METER_COMMAND.delete, flags: 0, meterId: METER_ALL, bands: [] },
        { kind: 'meter_mod', xid: 5, command: METER_COMMAND.add, flags, meterId: 9, bands },
        { ...FLOW_MOD_DEFAULTS, kind: 'flow_mod', xid: 6, match: {}, instructions: metered },
        { kind: 'meter_desc_request', xid: 7, ...of },
        { kind: 'meter_stats_request', xid: 8, ...of },
        { kind: 'meter_features_request', xid: 9, flags: 0 },
      ]);
      expect(only(replies, 'meter_desc_reply').meters).to.deep.equal([{ flags, meterId: 9, bands }]);
      const [stats] = only(replies, 'meter_stats_reply').meters;
      expect(stats).to.include({ meterId: 9, packetInCount: 0n });
      expect(stats!.bands).to.deep.equal([{ packetBandCount: 0n, byteBandCount: 0n }]);
      expect(only(replies, 'meter_features_reply').maxMeters).to.be.greaterThan(0);
    });
  }
});
