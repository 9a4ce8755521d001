/** What a bench answers, and how it is shown. */
import { median, quantile, ratios } from './statistics.ts';

/** A limit that a figure should keep: met or not, it is no malfunction. */
export interface Target {
  readonly limit: '<=' | '>=';
  readonly value: number;
  /** What should keep it: the ratio where there is one, unless told. */
  readonly of?: 'median';
}

/** One line of a bench's table. */
export interface Row {
  readonly what: string;
  readonly unit: string;
  readonly samples: number;
  readonly median: number;
  /** 10th and 90th percentile. */
  readonly spread: readonly [number, number];
  /** What was measured in turn with it, and its median. */
  readonly yardstick?: { readonly what: string; readonly median: number };
  /** Against the yardstick: of samples taken in turn the median of the pairs' ratios, else the ratio of the medians. */
  readonly ratio?: number;
  readonly target?: Target;
  readonly met?: boolean;
  /** The same of a neighbouring system, measured on a machine of this kind: see README.md. */
  readonly peer?: string;
}

export interface RowInit {
  readonly what: string;
  readonly unit: string;
  readonly samples: readonly number[];
  readonly yardstick?: { readonly what: string; readonly samples: readonly number[] };
  readonly target?: Target;
  readonly peer?: string;
}

/** Condenses samples to a row. */
export function row({ what, unit, samples, yardstick, target, peer }: RowInit): Row {
  const value = median(samples);
  const base = yardstick && { what: yardstick.what, median: median(yardstick.samples) };
  const inTurn = yardstick?.samples.length === samples.length && samples.length > 1;
  const ratio = inTurn ? median(ratios(samples, yardstick.samples)) : base && value / base.median;
  const judged = target?.of === 'median' ? value : (ratio ?? value);
  return {
    ...{ what, unit, samples: samples.length, median: value },
    spread: [quantile(samples, 0.1), quantile(samples, 0.9)],
    ...(base && { yardstick: base, ratio: ratio! }),
    ...(target && { target, met: target.limit === '<=' ? judged <= target.value : judged >= target.value }),
    ...(peer !== undefined && { peer }),
  };
}

const HEADINGS = ['measured', 'median', 'p10 … p90', 'n', 'against', 'ratio', 'target', '', 'peer'];

/** A table of rows with aligned columns. */
export function printTable(title: string, rows: readonly Row[]): string {
  const cells = [HEADINGS, ...rows.map(cellsOf)];
  const widths = HEADINGS.map((_, column) => Math.max(...cells.map((line) => line[column]!.length)));
  const lines = cells.map((line) =>
    line
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  );
  return [title, ...lines.map((line) => `  ${line}`), ''].join('\n');
}

function cellsOf({
  what,
  unit,
  samples,
  median: value,
  spread,
  yardstick,
  ratio,
  target,
  met,
  peer = '',
}: Row): string[] {
  return [
    what,
    `${digits(value)} ${unit}`.trim(),
    samples < 2 ? '' : `${digits(spread[0])} … ${digits(spread[1])}`,
    String(samples),
    yardstick === undefined ? '' : `${yardstick.what}: ${digits(yardstick.median)}`,
    ratio === undefined ? '' : digits(ratio),
    target === undefined ? '' : `${target.limit} ${target.value.toLocaleString('en-US')}`,
    met === undefined ? '' : met ? 'met' : 'NOT MET',
    peer,
  ];
}

/** Three significant digits, no exponent. */
function digits(value: number): string {
  if (!Number.isFinite(value)) return '-';
  const decimals = value === 0 ? 0 : Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toLocaleString('en-US', { maximumFractionDigits: decimals });
}
