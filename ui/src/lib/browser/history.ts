import type { Place } from '$lib/backend';

const MOST = 100;

/** Where a pane has been: back and forward. Plain values; the pane replaces it whole. */
export class History {
  private constructor(
    readonly past: readonly Place[],
    readonly here: Place | null,
    readonly future: readonly Place[],
  ) {}

  static readonly empty = new History([], null, []);

  get canBack(): boolean {
    return this.past.length > 0;
  }

  get canForward(): boolean {
    return this.future.length > 0;
  }

  visit(place: Place): History {
    if (!this.here) return new History([], place, []);
    if (this.here.id === place.id) return new History(this.past, place, this.future);
    return new History([...this.past, this.here].slice(-MOST), place, []);
  }

  back(): History {
    const to = this.past.at(-1);
    if (!to || !this.here) return this;
    return new History(this.past.slice(0, -1), to, [this.here, ...this.future]);
  }

  forward(): History {
    const to = this.future[0];
    if (!to || !this.here) return this;
    return new History([...this.past, this.here], to, this.future.slice(1));
  }
}
