/** Things by the time at which they are due: a binary heap. */
export class DueQueue<T> {
  readonly #heap: { readonly at: number; readonly item: T }[] = [];

  /** When the first is due; undefined = there is nothing. */
  get nextMs(): number | undefined {
    return this.#heap[0]?.at;
  }

  add(at: number, item: T): void {
    const heap = this.#heap;
    let i = heap.push({ at, item }) - 1;
    while (i > 0) {
      const above = (i - 1) >> 1;
      if (heap[above]!.at <= at) break;
      [heap[i], heap[above]] = [heap[above]!, heap[i]!];
      i = above;
    }
  }

  /** Takes out the first one if it is due. */
  take(now: number): T | undefined {
    const heap = this.#heap;
    const first = heap[0];
    if (first === undefined || first.at > now) return undefined;
    const last = heap.pop()!;
    if (heap.length > 0) {
      heap[0] = last;
      this.#sink();
    }
    return first.item;
  }

  clear(): void {
    this.#heap.length = 0;
  }

  #sink(): void {
    const heap = this.#heap;
    for (let i = 0; ; ) {
      let least = i;
      for (const below of [2 * i + 1, 2 * i + 2]) {
        if (below < heap.length && heap[below]!.at < heap[least]!.at) least = below;
      }
      if (least === i) return;
      [heap[i], heap[least]] = [heap[least]!, heap[i]!];
      i = least;
    }
  }
}
