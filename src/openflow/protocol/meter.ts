/** Meters (1.5 §7.3.4.4): how much of what is sent to them may pass, and their statistics. */
import { length, list, pad, struct, union } from '../wire/schema.ts';
import type { Value } from '../wire/value.ts';
import { ACTION } from './framing.ts';

/** What happens above a rate. Rates are in kbit/s or, with `METER_FLAG.pktps`, in packets per second. */
export const meterBand = union('meter_band', ACTION, {
  drop: { tag: [1], shape: { rate: 'u32', burstSize: 'u32', pad: pad(4) } },
  dscp_remark: { tag: [2], shape: { rate: 'u32', burstSize: 'u32', precLevel: 'u8', pad: pad(3) } },
});

/** `command`: see `METER_COMMAND`; `flags`: see `METER_FLAG`. */
export const meterMod = { command: 'u16', flags: 'u16', meterId: 'u32', bands: list(meterBand) } as const;

/** The same fields as in a `meter_mod`. */
export const meterDesc = struct('meter_desc', { length, flags: 'u16', meterId: 'u32', bands: list(meterBand) });

export const meterStats = struct('meter_stats', {
  meterId: 'u32',
  length,
  pad: pad(6),
  /** Flows that use it. */
  refCount: 'u32',
  packetInCount: 'u64',
  byteInCount: 'u64',
  durationSec: 'u32',
  durationNsec: 'u32',
  bands: list(struct('meter_band_stats', { packetBandCount: 'u64', byteBandCount: 'u64' })),
});

export const meterFeatures = {
  maxMeters: 'u32',
  bandTypes: 'u32',
  capabilities: 'u32',
  maxBands: 'u8',
  maxColor: 'u8',
  pad2: pad(2),
} as const;

export type MeterBand = Value<typeof meterBand>;
export type MeterDesc = Value<typeof meterDesc>;
export type MeterStats = Value<typeof meterStats>;

export const METER_COMMAND = { add: 0, modify: 1, delete: 2 } as const;
export const METER_FLAG = { kbps: 1, pktps: 2, burst: 4, stats: 8 } as const;
/** Every meter, in a delete or a request. */
export const METER_ALL = 0xffff_ffff;
/** The meter of what flows with an action `CONTROLLER` send there. */
export const METER_CONTROLLER = 0xffff_fffd;
