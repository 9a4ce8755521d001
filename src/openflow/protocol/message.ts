/**
 * The message table: every message this library understands, its type number in each version, and its body.
 *
 * A row's tag is the type number; for experimenter messages (4) it is followed by experimenter and subtype, for multipart
 * requests (18) and replies (19) by the multipart type. What the table lacks is decoded as kind `unknown`.
 */
import { length, list, pad, per, ref, rest, struct, text, union } from '../wire/schema.ts';
import type { Value } from '../wire/value.ts';
import { asyncConfig, asyncConfig2 } from './async.ts';
import { ctFlush, ctFlushZone } from './ct-flush.ts';
import { aggregateStats, flowMod, flowRemoved, flowStats, flowStatsRequest } from './flow.ts';
import { MESSAGE, NICIRA, ONF, PROPERTY } from './framing.ts';
import { groupDesc, groupFeatures, groupMod, groupStats } from './group.ts';
import { meterDesc, meterFeatures, meterMod, meterStats } from './meter.ts';
import { packetIn, packetIn2, packetOut } from './packet.ts';
import { port, portStats } from './port.ts';

const helloElement = union('hello_element', PROPERTY, {
  /** Bit n of word n / 32 stands for wire version n. */
  version_bitmap: { tag: [1], shape: { bitmaps: list('u32') } },
});

const switchConfig = { flags: 'u16', missSendLen: 'u16' } as const;
const role = {
  role: 'u32',
  shortId: per({ '1.3': pad(2), '1.5': 'u16' }),
  pad: pad(2),
  generationId: 'u64',
} as const;
const bundleControl = { bundleId: 'u32', type: 'u16', flags: 'u16', properties: rest } as const;
const bundleAdd = { bundleId: 'u32', pad: pad(2), flags: 'u16', message: ref('message'), properties: rest } as const;

/** What every multipart begins with. Flag 1 means that more parts follow. */
const part = { flags: 'u16', pad: pad(4) } as const;
const ofMeter = { ...part, meterId: 'u32', pad2: pad(4) } as const;
const tableStats = struct('table_stats', {
  tableId: 'u8',
  pad: pad(3),
  activeCount: 'u32',
  lookupCount: 'u64',
  matchedCount: 'u64',
});

export const message = union('message', MESSAGE, {
  hello: { tag: [0], shape: { elements: list(helloElement) } },
  /** For type 0xffff the code is an experimenter's, and `data` begins with its id. See `errors.ts`. */
  error: { tag: [1], shape: { type: 'u16', code: 'u16', data: rest } },
  echo_request: { tag: [2], shape: { data: rest } },
  echo_reply: { tag: [3], shape: { data: rest } },
  features_request: { tag: [5], shape: {} },
  features_reply: {
    tag: [6],
    shape: {
      datapathId: 'u64',
      nBuffers: 'u32',
      nTables: 'u8',
      auxiliaryId: 'u8',
      pad: pad(2),
      capabilities: 'u32',
      reserved: 'u32',
    },
  },
  get_config_request: { tag: [7], shape: {} },
  get_config_reply: { tag: [8], shape: switchConfig },
  set_config: { tag: [9], shape: switchConfig },
  packet_in: { tag: [10], shape: packetIn },
  flow_removed: { tag: [11], shape: flowRemoved },
  port_status: { tag: [12], shape: { reason: 'u8', pad: pad(7), port } },
  packet_out: { tag: [13], shape: packetOut },
  flow_mod: { tag: [14], shape: flowMod },
  group_mod: { tag: [15], shape: groupMod },
  barrier_request: { tag: [20], shape: {} },
  barrier_reply: { tag: [21], shape: {} },
  role_request: { tag: [24], shape: role },
  role_reply: { tag: [25], shape: role },
  get_async_request: { tag: [26], shape: {} },
  get_async_reply: { tag: [27], shape: asyncConfig },
  set_async: { tag: [28], shape: asyncConfig },
  meter_mod: { tag: [29], shape: meterMod },
  role_status: {
    tag: { '1.3': [4, ONF, 1911], '1.5': [30] },
    shape: { role: 'u32', reason: 'u8', pad: pad(3), generationId: 'u64', properties: rest },
  },
  /** `type`: see `BUNDLE_CONTROL`. `flags`: see `BUNDLE_FLAG`. In 1.3 it is ONF extension 230. */
  bundle_control: { tag: { '1.3': [4, ONF, 2300], '1.5': [33] }, shape: bundleControl },
  bundle_add: { tag: { '1.3': [4, ONF, 2301], '1.5': [34] }, shape: bundleAdd },

  nx_set_packet_in_format: { tag: [4, NICIRA, 16], shape: { format: 'u32' } },
  nx_set_async_config: { tag: { '1.3': [4, NICIRA, 19], '1.5': [4, NICIRA, 19] }, shape: { masks: list('u32') } },
  nx_set_controller_id: { tag: [4, NICIRA, 20], shape: { pad: pad(6), controllerId: 'u16' } },
  nx_set_async_config2: { tag: [4, NICIRA, 27], shape: asyncConfig2 },
  nx_resume: { tag: [4, NICIRA, 28], shape: packetIn2 },
  nx_ct_flush_zone: { tag: [4, NICIRA, 29], shape: ctFlushZone },
  nx_packet_in2: { tag: [4, NICIRA, 30], shape: packetIn2 },
  nx_ct_flush: { tag: [4, NICIRA, 32], shape: ctFlush },

  desc_request: { tag: [18, 0], shape: part },
  desc_reply: {
    tag: [19, 0],
    shape: {
      ...part,
      manufacturer: text(256),
      hardware: text(256),
      software: text(256),
      serialNumber: text(32),
      datapath: text(256),
    },
  },
  flow_stats_request: { tag: [18, 1], shape: { ...part, ...flowStatsRequest } },
  flow_stats_reply: { tag: [19, 1], shape: { ...part, flows: list(flowStats) } },
  aggregate_stats_request: { tag: [18, 2], shape: { ...part, ...flowStatsRequest } },
  aggregate_stats_reply: { tag: [19, 2], shape: { ...part, ...aggregateStats } },
  table_stats_request: { tag: [18, 3], shape: part },
  table_stats_reply: { tag: [19, 3], shape: { ...part, tables: list(tableStats) } },
  port_stats_request: { tag: [18, 4], shape: { ...part, portNo: 'u32', pad2: pad(4) } },
  port_stats_reply: { tag: [19, 4], shape: { ...part, ports: list(portStats) } },
  group_stats_request: { tag: [18, 6], shape: { ...part, groupId: 'u32', pad2: pad(4) } },
  group_stats_reply: { tag: [19, 6], shape: { ...part, groups: list(groupStats) } },
  /** 1.3 asks for all groups; in 1.5 `groupId` may be one, and must be given. */
  group_desc_request: {
    tag: [18, 7],
    shape: {
      ...part,
      groupId: per({ '1.3': pad(0), '1.5': 'u32' }),
      pad2: per({ '1.3': pad(0), '1.5': pad(4) }),
    },
  },
  group_desc_reply: { tag: [19, 7], shape: { ...part, groups: list(groupDesc) } },
  group_features_request: { tag: [18, 8], shape: part },
  group_features_reply: { tag: [19, 8], shape: { ...part, ...groupFeatures } },
  meter_stats_request: { tag: [18, 9], shape: ofMeter },
  meter_stats_reply: { tag: [19, 9], shape: { ...part, meters: list(meterStats) } },
  meter_desc_request: { tag: [18, 10], shape: ofMeter },
  meter_desc_reply: { tag: [19, 10], shape: { ...part, meters: list(meterDesc) } },
  meter_features_request: { tag: [18, 11], shape: part },
  meter_features_reply: { tag: [19, 11], shape: { ...part, ...meterFeatures } },
  /** 1.3 asks for all ports; in 1.5 `portNo` may be one, and must be given. */
  port_desc_request: {
    tag: [18, 13],
    shape: {
      ...part,
      portNo: per({ '1.3': pad(0), '1.5': 'u32' }),
      pad2: per({ '1.3': pad(0), '1.5': pad(4) }),
    },
  },
  port_desc_reply: { tag: [19, 13], shape: { ...part, ports: list(port) } },
  table_desc_request: { tag: { '1.5': [18, 14] }, shape: part },
  table_desc_reply: {
    tag: { '1.5': [19, 14] },
    shape: {
      ...part,
      tables: list(struct('table_desc', { length, tableId: 'u8', pad: pad(1), config: 'u32', properties: rest })),
    },
  },
});

/** A message of either version, with its transaction id. */
export type Message = Value<typeof message> & { readonly xid: number };
/** The message of one kind. */
export type MessageOf<K extends Message['kind']> = Extract<Message, { readonly kind: K }>;
export type FlowMod = MessageOf<'flow_mod'>;
export type GroupMod = MessageOf<'group_mod'>;
export type MeterMod = MessageOf<'meter_mod'>;

declare module '../wire/value.ts' {
  interface Refs {
    message: Message;
  }
}

/** The kind of message that answers a request. Other messages are answered by an error or not at all. */
export const REPLY_OF = {
  echo_request: 'echo_reply',
  features_request: 'features_reply',
  get_config_request: 'get_config_reply',
  barrier_request: 'barrier_reply',
  role_request: 'role_reply',
  get_async_request: 'get_async_reply',
  bundle_control: 'bundle_control',
  desc_request: 'desc_reply',
  flow_stats_request: 'flow_stats_reply',
  aggregate_stats_request: 'aggregate_stats_reply',
  table_stats_request: 'table_stats_reply',
  port_stats_request: 'port_stats_reply',
  group_stats_request: 'group_stats_reply',
  group_desc_request: 'group_desc_reply',
  group_features_request: 'group_features_reply',
  meter_stats_request: 'meter_stats_reply',
  meter_desc_request: 'meter_desc_reply',
  meter_features_request: 'meter_features_reply',
  port_desc_request: 'port_desc_reply',
  table_desc_request: 'table_desc_reply',
} as const satisfies Partial<Record<Message['kind'], Message['kind']>>;

/** Flag of a multipart message that is not the last of its request or reply. */
export const MORE_PARTS = 1;
export const ROLE = { nochange: 0, equal: 1, master: 2, slave: 3 } as const;
export const BUNDLE_CONTROL = {
  open_request: 0,
  open_reply: 1,
  close_request: 2,
  close_reply: 3,
  commit_request: 4,
  commit_reply: 5,
  discard_request: 6,
  discard_reply: 7,
} as const;
export const BUNDLE_FLAG = { atomic: 1, ordered: 2 } as const;
