/** Traffic of one VM, and what it got through. */
import { type BenchLab, execIn } from './lab.ts';

export interface Rate {
  readonly perSecond: number;
  readonly count: number;
  /** 99th percentile of the answers' latencies. */
  readonly p99Ms: number;
}

const UNIT_MS: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000 };

/** Requests for a tiny page, 16 connections at a time; with `close` each page has a connection of its own. */
export async function requests(
  lab: BenchLab,
  { vm, address, seconds, close = false }: { vm: string; address: string; seconds: number; close?: boolean },
): Promise<Rate> {
  const header = close ? ['-H', 'Connection: close'] : [];
  const words = ['wrk', '-t1', '-c16', `-d${seconds}s`, '--latency', ...header, `http://${address}/`];
  const text = await execIn(lab, vm, words);
  const perSecond = Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1]);
  const [, value, unit = ''] = /99%\s+([\d.]+)(us|ms|s)/.exec(text) ?? [];
  if (!(perSecond > 0) || text.includes('Socket errors: connect')) throw new Error(`wrk ${address}: ${text}`);
  const count = Number(/(\d+) requests in/.exec(text)?.[1]);
  return { perSecond, count, p99Ms: Number(value) * UNIT_MS[unit]! };
}

/** One big file over one TCP connection, Mbit/s. */
export async function megabitPerSecond(lab: BenchLab, vm: string, address: string): Promise<number> {
  const words = ['curl', '-sSf', '-o', '/dev/null', '-w', '%{speed_download}', `http://${address}/big`];
  return (Number(await execIn(lab, vm, words)) * 8) / 1e6;
}
