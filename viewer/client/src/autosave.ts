// Keeps the project in the browser, for the same head in the same page.

/** A place in the browser's storage; silently nothing where the page may not store (sandboxed frames, private modes). */
export class Autosave {
  private pending: number | null = null;
  private text: () => string = () => "";

  constructor(private readonly key: string) {}

  read(): string | null {
    return attempt(() => localStorage.getItem(this.key)) ?? null;
  }

  /** Writes what `text` gives, a little later and once however often it is asked. */
  write(text: () => string): void {
    this.drop();
    this.text = text;
    this.pending = window.setTimeout(() => this.flush(), 400);
  }

  /** Writes at once what waits to be written. */
  flush(): void {
    if (this.pending === null) return;
    this.drop();
    attempt(() => localStorage.setItem(this.key, this.text()));
  }

  forget(): void {
    this.drop();
    attempt(() => localStorage.removeItem(this.key));
  }

  private drop(): void {
    if (this.pending !== null) clearTimeout(this.pending);
    this.pending = null;
  }
}

function attempt<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if (error instanceof DOMException) return undefined; // refused, or full
    throw error;
  }
}
