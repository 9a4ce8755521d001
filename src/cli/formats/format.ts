import type { Service } from '../services/service.ts';

/** What a text of another program says, as far as hostlb has it. */
export interface Imported {
  readonly services: readonly Service[];
  /** What hostlb does otherwise, one line each. */
  readonly notes: readonly string[];
  /** Services that hostlb cannot serve, and why. */
  readonly refused: readonly string[];
}

/** What hostlb has, for another program. */
export interface Exported {
  readonly text: string;
  /** What the other program has no word for, one line each. */
  readonly notes: readonly string[];
}
