/** What the protocol's declarations offer to users of the library: types and named numbers. */
export { type Action, CT_FLAG, IN_PORT_16, NAT_FLAG, TABLE_CURRENT } from './action.ts';
export type { CtTuple } from './ct-flush.ts';
export { ERROR_NAMES, ERROR_TYPES, EXPERIMENTER_ERROR_NAMES } from './errors.ts';
export {
  FLOW_COMMAND,
  FLOW_FLAG,
  FLOW_MOD_DEFAULTS,
  FLOW_REMOVED_REASON,
  type FlowStats,
  NO_BUFFER,
  TABLE_ALL,
} from './flow.ts';
export { EXPERIMENTER, NETRONOME, NICIRA, ONF } from './framing.ts';
export {
  BUCKET,
  type Bucket,
  GROUP_ALL,
  GROUP_ANY,
  GROUP_COMMAND,
  GROUP_TYPE,
  type GroupDesc,
  type GroupStats,
} from './group.ts';
export type { Instruction } from './instruction.ts';
export { type FieldName, type Match, match } from './match.ts';
export {
  BUNDLE_CONTROL,
  BUNDLE_FLAG,
  type FlowMod,
  type GroupMod,
  type Message,
  type MessageOf,
  type MeterMod,
  MORE_PARTS,
  REPLY_OF,
  ROLE,
} from './message.ts';
export {
  METER_ALL,
  METER_COMMAND,
  METER_CONTROLLER,
  METER_FLAG,
  type MeterBand,
  type MeterDesc,
  type MeterStats,
} from './meter.ts';
export { PACKET_IN_FORMAT, PACKET_IN_REASON, WHOLE_PACKET } from './packet.ts';
export { PORT, PORT_CONFIG, PORT_REASON, PORT_STATE, type Port, type PortStats } from './port.ts';
