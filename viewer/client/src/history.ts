// Undo and redo over states that are never changed in place.

/** Commits with one tag in a row are one step, until `settle` says that the gesture is over. */
export class History<State> {
  private past: State[] = [];
  private future: State[] = [];
  private tag: string | null = null;

  constructor(
    public now: State,
    private readonly depth = 200,
  ) {}

  commit(state: State, tag: string | null = null): void {
    if (tag === null || tag !== this.tag) {
      this.past.push(this.now);
      if (this.past.length > this.depth) this.past.shift();
    }
    this.future = [];
    this.tag = tag;
    this.now = state;
  }

  settle(): void {
    this.tag = null;
  }

  get canUndo(): boolean {
    return this.past.length > 0;
  }

  get canRedo(): boolean {
    return this.future.length > 0;
  }

  /** Whether there was a step to go back. */
  undo(): boolean {
    return this.step(this.past, this.future);
  }

  redo(): boolean {
    return this.step(this.future, this.past);
  }

  private step(from: State[], to: State[]): boolean {
    const next = from.pop();
    if (next === undefined) return false;
    to.push(this.now);
    this.now = next;
    this.tag = null;
    return true;
  }
}
