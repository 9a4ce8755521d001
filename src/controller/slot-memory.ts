/**
 * Keeps the slot tables of load balancers in the state database, so that their next change moves no more slots than it
 * must, whichever controller makes it. Hosts do not wait for that: what is remembered changes no table.
 */
import { usesSwitch } from '../model/transport.ts';
import type { LoadBalancer } from '../model/types.ts';
import { rememberSlots } from '../pipeline/remembered-slots.ts';
import type { ModelChange, Store } from '../store/types.ts';
import { type Coalesced, coalesce, writeInBatches } from './coalesce.ts';

/** Load balancers that are written at once. */
const BATCH = 64;

export class SlotMemory {
  readonly #store: Pick<Store, 'model' | 'setSlotTables'>;
  /** Load balancers whose tables may have to be remembered. */
  readonly #due = new Set<string>();
  readonly #writeSoon: Coalesced;

  constructor(store: Pick<Store, 'model' | 'setSlotTables'>, failed: (error: Error) => void) {
    this.#store = store;
    this.#writeSoon = coalesce(() => this.#write(), failed);
  }

  /** All that are there. */
  start(): void {
    this.#add(this.#store.model.loadBalancers.keys());
  }

  changed({ loadBalancers }: ModelChange): void {
    this.#add(loadBalancers);
  }

  stop(): Promise<void> {
    return this.#writeSoon.stop();
  }

  #add(ids: Iterable<string>): void {
    const { loadBalancers } = this.#store.model;
    for (const id of ids) if (isChosenForBySwitch(loadBalancers.get(id))) this.#due.add(id);
    if (this.#due.size > 0) this.#writeSoon();
  }

  #write(): Promise<void> {
    return writeInBatches(this.#due, BATCH, (ids) => this.#store.setSlotTables(ids.flatMap((id) => this.#newsOf(id))));
  }

  #newsOf(id: string) {
    const { loadBalancers, slotTables } = this.#store.model;
    const loadBalancer = loadBalancers.get(id);
    if (loadBalancer === undefined) return [];
    const known = slotTables.get(id) ?? {};
    const tables = rememberSlots(loadBalancer, known);
    const isKnown = Object.keys({ ...known, ...tables }).every((key) => known[key] === tables[key]);
    return isKnown ? [] : [{ loadBalancerId: id, generation: loadBalancer.generation, tables }];
  }
}

function isChosenForBySwitch(loadBalancer: LoadBalancer | undefined): boolean {
  return loadBalancer !== undefined && (usesSwitch(loadBalancer) || loadBalancer.untilReady === 'switch');
}
