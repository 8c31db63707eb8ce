// What FACET-VLM reads in the face that is shown: the server's answer, asked for a moment after the face moved.

import type { App } from "./app";
import { element } from "./elements";
import { address, asked } from "./jobs";
import { rowOfVertex } from "./head_map";
import type { Head } from "./head";
import type { Reading } from "./messages";

const REST_MS = 150;

export class ReadingPanel {
  readonly root: HTMLElement;
  private readonly pictures = element("div", { class: "views" });
  private readonly list = element("dl", { class: "probabilities" });
  private readonly note = element("p", { class: "hint", role: "status" });
  private timer: number | null = null;
  private abort: AbortController | null = null;
  private asking = false;
  private stale = false;
  /** The head that the server holds, and the rows of its vertices. */
  private held: { head: Head; key: string; rows: Uint32Array } | null = null;

  constructor(private readonly app: App) {
    this.root = element(
      "section",
      { class: "dock-panel reading", "aria-labelledby": "reading-heading", hidden: true },
      element("h2", { id: "reading-heading" }, "FACET-VLM's reading"),
      this.list,
      this.pictures,
      this.note,
    );
    if (!app.source.served) {
      this.note.textContent =
        "Reading a face needs the model, which this file does not hold: open the head with mesh4d-viewer.";
    }
  }

  set shown(on: boolean) {
    this.root.hidden = !on;
    if (on) this.posed();
    else this.stop();
  }

  /** The face moved. */
  posed(): void {
    if (this.root.hidden || !this.app.source.served) return;
    this.stale = true;
    if (this.asking || this.timer !== null) return;
    this.timer = window.setTimeout(() => {
      this.timer = null;
      void this.ask();
    }, REST_MS);
  }

  stop(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    this.abort?.abort();
  }

  private async ask(): Promise<void> {
    this.asking = true;
    this.stale = false;
    const abort = (this.abort = new AbortController());
    if (this.list.childElementCount === 0) this.note.textContent = "Loading the model, once.";
    try {
      this.show(await this.reading(abort.signal));
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      if (!abort.signal.aborted) this.note.textContent = `No reading: ${error.message}`;
    } finally {
      this.asking = false;
      if (this.stale) this.posed();
    }
  }

  private async reading(signal: AbortSignal): Promise<Reading> {
    const { head, pose } = this.app;
    if (this.held?.head !== head) await this.send(head, signal);
    const { key, rows } = this.held!;
    const body = new Blob([verticesOf(head.positionsAt(pose), rows) as BlobPart]);
    return asked<Reading>(address("readings", { surface: key }), { method: "POST", body, signal });
  }

  /** The head at rest, from which the server learns how it lies. */
  private async send(head: Head, signal: AbortSignal): Promise<void> {
    const rows = rowOfVertex(head);
    const { source, positions, indices } = head.rig;
    const faces = source === null ? indices : indices.map((row) => source[row]);
    const key = crypto.randomUUID();
    const counts = Uint32Array.of(rows.length, faces.length / 3);
    const body = new Blob([counts, verticesOf(positions, rows) as BlobPart, faces as BlobPart]);
    await asked(address(`surfaces/${key}`), { method: "PUT", body, signal });
    this.held = { head, key, rows };
  }

  private show({ labels, probabilities, pictures, views, view_weights, seconds }: Reading): void {
    const best = probabilities.indexOf(Math.max(...probabilities));
    this.list.replaceChildren(
      ...labels.map((label, place) => {
        const value = element("dd", {}, `${(100 * probabilities[place]).toFixed(1)} %`);
        const row = element("div", { class: place === best ? "best" : "" }, element("dt", {}, label), value);
        row.style.setProperty("--fill", probabilities[place].toFixed(4));
        return row;
      }),
    );
    this.pictures.replaceChildren(
      ...pictures.map((src, view) => {
        const share = `${Math.round(100 * view_weights[view])} %`;
        return element(
          "figure",
          { title: `${views[view]}: ${share} of the evidence` },
          element("img", { src, alt: `What the model sees from ${views[view]}`, width: 96, height: 96 }),
          element("figcaption", {}, share),
        );
      }),
    );
    this.note.textContent = `Seven views and their share of the evidence. Read in ${Math.round(1000 * seconds)} ms.`;
  }
}

/** Positions of the file's vertices out of those of the rows. */
function verticesOf(positions: Float32Array, rows: Uint32Array): Float32Array {
  const vertices = new Float32Array(3 * rows.length);
  rows.forEach((row, vertex) => {
    for (let axis = 0; axis < 3; axis++) vertices[3 * vertex + axis] = positions[3 * row + axis];
  });
  return vertices;
}
