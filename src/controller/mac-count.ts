/** The MACs of VMs, counted over all hosts. */
export class MacCount {
  readonly #counts = new Map<string, number>();
  readonly #byHost = new Map<string, readonly string[]>();

  /** The host has VMs with these MACs now. Answers whether one is new everywhere, and those that are nowhere any more. */
  replace(hostId: string, macs: readonly string[]): { readonly came: boolean; readonly gone: readonly string[] } {
    const before = this.#byHost.get(hostId) ?? [];
    const fresh = macs.filter((mac) => !this.#counts.has(mac));
    for (const mac of macs) this.#counts.set(mac, (this.#counts.get(mac) ?? 0) + 1);
    for (const mac of before) {
      const left = this.#counts.get(mac)! - 1;
      if (left > 0) this.#counts.set(mac, left);
      else this.#counts.delete(mac);
    }
    if (macs.length > 0) this.#byHost.set(hostId, macs);
    else this.#byHost.delete(hostId);
    return { came: fresh.length > 0, gone: [...new Set(before)].filter((mac) => !this.#counts.has(mac)) };
  }
}
