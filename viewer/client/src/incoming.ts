// Files that the reader opens or drops: projects, curves, heads, sequences. Where a file could be two things, it asks.

import type { App } from "./app";
import { button, element } from "./elements";
import { address, Cancelled, workedOn } from "./jobs";
import type { SolvedCurves } from "./messages";
import { addWeight, columnOf, restPose } from "./pose";
import { inflated } from "./source";
import { isSound } from "./sounds";
import { tar } from "./tar";

const OWN = /\.(json|csv)$/i;
/** Vertex caches and archives of frames are nothing but sequences. */
const SEQUENCE = /\.(pc2|mdd|zip|tar)(\.gz)?$/i;
const EITHER = /\.(glb|npz|usd[ac]?)$/i;
/** Enough of an .npz or .glb to find the names of what it holds. */
const PEEKED_BYTES = 1 << 20;

export class Incoming {
  /** A strip over the head: work in progress, or a question. */
  readonly root = element("div", { class: "upload", hidden: true });
  private abort: AbortController | null = null;

  constructor(private readonly app: App) {}

  /** Files or a folder of them, dropped on the page. */
  async dropped(transfer: DataTransfer): Promise<void> {
    const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.() ?? null);
    const folder = entries.find((entry) => entry?.isDirectory);
    if (folder === undefined || folder === null) return this.take([...transfer.files]);
    const files = await filesOf(folder as FileSystemDirectoryEntry);
    await this.take(files.filter((file) => !file.name.startsWith(".")));
  }

  async take(files: readonly File[]): Promise<void> {
    if (files.length === 0) return;
    const name = files.length === 1 ? files[0].name : `${files.length} frames`;
    await this.guarded(name, () => this.opened(files, name));
  }

  private async guarded(name: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (error instanceof Cancelled) return this.app.say(`${name}: cancelled.`);
      if (!(error instanceof Error)) throw error;
      this.app.say(`${name}: ${error.message}`, true);
    } finally {
      this.finished();
    }
  }

  /** Nothing is worked on any more. */
  finished(): void {
    this.abort = null;
    this.root.hidden = true;
  }

  /** Sends a head to the server and brings back its file and its id there. */
  async rigOf(route: string, name: string, body: Blob | null, query: Readonly<Record<string, string>> = {}) {
    const signal = this.begin();
    const { id, answer } = await workedOn({
      route, name, query, body, result: "rig.bin", signal,
      said: (stage) => this.progress(`${name}: ${stage}`),
    }); // prettier-ignore
    return { id, glb: await inflated(new Uint8Array(await answer.arrayBuffer())) };
  }

  private async opened(files: readonly File[], name: string): Promise<void> {
    const [file] = files;
    if (files.length === 1 && OWN.test(file.name)) return this.app.open(file.name, await file.text());
    if (files.length === 1 && isSound(file)) return this.app.timeline.openSound(file);
    if (!this.app.source.served) return this.openedHere(file);
    const animates = files.length > 1 || SEQUENCE.test(file.name) || (await this.isSequence(file));
    if (animates)
      return this.solved(files.length === 1 ? file : tar(files), files.length === 1 ? name : "frames.tar", name);
    const { id, glb } = await this.rigOf("heads", file.name, file);
    this.shown(file.name, glb, id);
  }

  /**
   * Asks the server for something that lies with it, by its number; then for the curves that come with it.
   *
   * @param beginning whether the page begins with it: then curves that the reader has edited before a reload stay.
   */
  async open(number: number, beginning = false): Promise<void> {
    const { name, moves } = this.app.metadata.openings[number];
    const query = { opening: String(number) };
    await this.guarded(name, async () => {
      const { id, glb } = await this.rigOf("heads", name, null, query);
      this.finished();
      const app = this.shown(name, glb, id);
      if (!moves || (beginning && app.history.canUndo)) return;
      await app.incoming.guarded(name, () => app.incoming.solved(null, name, name, query));
    });
  }

  private shown(title: string, glb: ArrayBuffer, head: string): App {
    const metadata = { ...this.app.metadata, title, autoplay: false, weights: {}, seed: null };
    return this.app.replaceHead({ ...this.app.source, glb, metadata, head });
  }

  /** Without a server a page can still show rigs that are files of its own kind. */
  private async openedHere(file: File): Promise<void> {
    if (!/\.glb$/i.test(file.name)) {
      throw new Error("this page can open projects, curves, sound and .glb rigs; mesh4d-viewer opens other heads");
    }
    const glb = await inflated(new Uint8Array(await file.arrayBuffer()));
    this.shown(file.name, glb, "");
  }

  /** The curves behind a sequence, into the timeline. */
  private async solved(
    body: Blob | null,
    sent: string,
    name: string,
    query: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    if (this.app.names.length === 0) throw new Error("this head has no units to move; open a head first");
    const signal = this.begin();
    const { answer, id } = await workedOn({
      route: "sequences", name: sent, query: { head: this.app.source.head, ...query }, body, result: "curves.json", signal,
      said: (stage) => this.progress(`${name}: ${stage}`),
    }); // prettier-ignore
    const { fps, curves, notes } = (await answer.json()) as SolvedCurves;
    void fetch(address(`sequences/${id}`), { method: "DELETE" });
    const columns = curves.names.map((each) => columnOf(each, this.app.names));
    const poses = curves.rows.map((row) => {
      const pose = restPose(this.app.names.length);
      row.forEach((weight, place) => {
        const column = columns[place];
        if (column !== null) addWeight(pose, column, weight);
      });
      return pose;
    });
    const result = this.app.import(
      poses.map((_, frame) => frame / fps),
      poses,
    );
    this.app.say([`${name}: ${poses.length} frames solved to curves, ${result}.`, ...notes].join(" "));
  }

  /** Whether a file that could be either is meant as motion for the head at hand. */
  private async isSequence(file: File): Promise<boolean> {
    if (!EITHER.test(file.name) || this.app.names.length === 0 || !(await holdsMotion(file))) return false;
    return new Promise((decide, refuse) => {
      const answer = (motion: boolean) => (): void => decide(motion);
      this.root.hidden = false;
      const motion = button("Its motion, on this head", {}, answer(true));
      this.root.replaceChildren(
        element("span", { role: "status" }, `${file.name} holds a head and its motion. Take`),
        motion,
        button("The head", {}, answer(false)),
        button("Cancel", {}, () => refuse(new Cancelled())),
      );
      motion.focus();
    });
  }

  private begin(): AbortSignal {
    if (this.abort !== null) throw new Error("another file is being worked on");
    const abort = (this.abort = new AbortController());
    const cancel = button("Cancel", {}, () => abort.abort());
    this.root.replaceChildren(
      element("progress", { "aria-label": "Working on the file" }),
      element("span", { role: "status" }),
      cancel,
    );
    this.root.hidden = false;
    return abort.signal;
  }

  private progress(text: string): void {
    const place = this.root.querySelector("span");
    if (place !== null) place.textContent = text;
  }
}

/** Whether a .glb has an animation, or an .npz frames, as far as its beginning and end say. */
async function holdsMotion(file: File): Promise<boolean> {
  const ends = [file.slice(0, PEEKED_BYTES), file.slice(-PEEKED_BYTES)];
  const [first, last] = await Promise.all(ends.map((part) => part.text()));
  if (/\.npz$/i.test(file.name)) return last.includes("frames.npy");
  if (/\.glb$/i.test(file.name)) return /"path"\s*:\s*"weights"/.test(first);
  return false;
}

async function filesOf(folder: FileSystemDirectoryEntry): Promise<File[]> {
  const reader = folder.createReader();
  const files: File[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((done, failed) => reader.readEntries(done, failed));
    if (some.length === 0) return files;
    for (const entry of some) {
      if (entry.isFile)
        files.push(await new Promise((done, failed) => (entry as FileSystemFileEntry).file(done, failed)));
    }
  }
}
