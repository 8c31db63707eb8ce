// Which head is shown: embedded identities by their seed, styles, heads between two, and a second head beside it.

import type { App } from "./app";
import type { Compare } from "./compare";
import { button, element, range, setRange } from "./elements";
import { Glb } from "./glb";
import { writeGlb } from "./glb_write";
import { address } from "./jobs";
import { inflated, type Source } from "./source";

const SHOWN = 6;
const LAST_SEED = 999_999;
const MORPH_MS = 350;

export class HeadsPanel {
  readonly root: HTMLElement;
  private readonly seed = element("input", {
    type: "number", min: 0, max: LAST_SEED, step: 1, "aria-label": "Number of the embedded head",
  }); // prettier-ignore
  private readonly thumbnails = element("div", { class: "thumbnails" });
  private readonly styles = new Map<string, HTMLButtonElement>();
  private readonly styleHint = element("p", { class: "hint" });
  private readonly mix = range({ id: "mix", min: 0, max: 1, step: 0.05 });
  private readonly mixing: HTMLElement;
  private readonly away = button("Take away", { hidden: true }, () => this.compareEnded());
  private style = "natural";
  /** The two files that the slider mixes: the head before, and the present one. */
  private pair: { before: ArrayBuffer; now: Source } | null = null;
  private busy = false;
  /** What the reader wants next, while something is under way. */
  private next: (() => Promise<void>) | null = null;

  /** @param changed another head came to stand beside. */
  constructor(
    private readonly app: App,
    private readonly compare: Compare,
    private readonly changed: () => void,
  ) {
    this.mixing = element(
      "div",
      { class: "mix", hidden: true },
      element("label", { for: "mix" }, "From the head before to this one"),
      this.mix,
    );
    this.mix.addEventListener("input", () => void this.mixTo(Number(this.mix.value)));
    this.root = element(
      "section",
      { class: "dock-panel heads", "aria-labelledby": "heads-heading", hidden: true },
      element("h2", { id: "heads-heading" }, "Heads"),
      ...(app.source.served ? this.identities() : [this.onlyServed()]),
      this.mixing,
      ...(app.source.served && app.metadata.styles.length > 0 ? this.styleChoice() : []),
      ...this.comparison(),
    );
  }

  set shown(on: boolean) {
    this.root.hidden = !on;
    if (on) this.listSeeds();
  }

  private get present(): number | null {
    return this.app.source.metadata.seed;
  }

  private onlyServed(): HTMLElement {
    const text =
      "Other identities and styles are made by the server: open the head with mesh4d-viewer. Rigs (.glb) open here.";
    return element("p", { class: "hint" }, text);
  }

  private identities(): HTMLElement[] {
    const step = (by: number): void => {
      const from = this.present ?? Number(this.seed.value || 0);
      void this.showSeed(Math.min(Math.max(from + by, 0), LAST_SEED));
    };
    this.seed.addEventListener("change", () => {
      const seed = Math.round(Number(this.seed.value));
      if (seed >= 0 && seed <= LAST_SEED) void this.showSeed(seed);
    });
    const row = element(
      "div",
      { class: "seed-row" },
      button("Previous", {}, () => step(-1)),
      this.seed,
      button("Next", {}, () => step(1)),
    );
    return [row, this.thumbnails];
  }

  private styleChoice(): HTMLElement[] {
    const buttons = this.app.metadata.styles.map(({ name, description }) => {
      const made = button(name, { class: "emotion", title: description }, () => void this.chooseStyle(name));
      this.styles.set(name, made);
      return made;
    });
    this.markStyle();
    const heading = element("h3", {}, "Style of moving");
    return [
      heading,
      element("div", { class: "segments", role: "group", "aria-label": "Style" }, ...buttons),
      this.styleHint,
    ];
  }

  private comparison(): HTMLElement[] {
    const file = element("input", { type: "file", hidden: true, tabindex: -1, "aria-hidden": "true" });
    if (!this.app.source.served) file.accept = ".glb";
    file.addEventListener("change", () => {
      const chosen = file.files?.[0];
      file.value = "";
      if (chosen !== undefined) void this.attempt(() => this.compareFile(chosen));
    });
    const buttons = [button("Open a file", {}, () => file.click())];
    if (this.app.source.served) {
      buttons.unshift(
        button("Next identity", {}, () => void this.attempt(() => this.compareSeed((this.present ?? -1) + 1))),
      );
    }
    return [
      element("h3", {}, "Beside it, moved by the same weights"),
      element("div", { class: "segments" }, ...buttons, this.away),
      file,
    ];
  }

  private markStyle(): void {
    for (const [name, each] of this.styles) each.setAttribute("aria-pressed", String(name === this.style));
    this.styleHint.textContent = this.app.metadata.styles.find(({ name }) => name === this.style)?.description ?? "";
  }

  private listSeeds(): void {
    if (!this.app.source.served) return;
    const { present } = this;
    this.seed.value = present === null ? "" : String(present);
    this.seed.placeholder = "seed";
    const first = Math.floor((present ?? 0) / SHOWN) * SHOWN;
    if (this.thumbnails.dataset["first"] !== String(first)) {
      this.thumbnails.dataset["first"] = String(first);
      this.thumbnails.replaceChildren(...Array.from({ length: SHOWN }, (_, place) => this.thumbnail(first + place)));
    }
    for (const each of this.thumbnails.children) {
      each.setAttribute("aria-pressed", String(Number((each as HTMLElement).dataset["seed"]) === present));
    }
  }

  private thumbnail(seed: number): HTMLElement {
    const made = button(
      "",
      { class: "thumbnail", "aria-label": `Head ${seed}`, "data-seed": seed },
      () => void this.showSeed(seed),
    );
    const src = address(`identities/${seed}/picture.png`);
    made.append(element("img", { src, alt: "", width: 72, height: 72, loading: "lazy" }), String(seed));
    return made;
  }

  private async showSeed(seed: number): Promise<void> {
    await this.attempt(async () => {
      const glb = await identity(seed, this.style);
      const title = `Embedded head ${seed}`;
      const metadata = { ...this.app.source.metadata, title, seed, autoplay: false, weights: {} };
      await this.replace({ ...this.app.source, glb, metadata, head: `identity-${seed}-${this.style}` });
    });
  }

  private async chooseStyle(style: string): Promise<void> {
    const { present, app } = this;
    await this.attempt(async () => {
      if (present !== null) {
        const glb = await identity(present, style);
        await this.replace({ ...app.source, glb, head: `identity-${present}-${style}` });
      } else {
        const title = app.source.metadata.title;
        const { id, glb } = await app.incoming.rigOf("heads", title, null, { of: app.source.head, style });
        await this.replace({ ...app.source, glb, head: id });
      }
      this.style = style;
      this.markStyle();
    });
  }

  /** The present head becomes another one: in small steps where both are of one build. */
  private async replace(next: Source): Promise<void> {
    const before = this.app.source.glb;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.pair = { before, now: next };
    const alike = await this.between(0.5);
    if (alike !== null && !still) {
      const since = performance.now();
      for (let share = 0; share < 1 && this.next === null; share = (performance.now() - since) / MORPH_MS) {
        const glb = await this.between(share * share * (3 - 2 * share));
        if (glb !== null) this.app.replaceHead({ ...next, glb });
        await new Promise((done) => setTimeout(done, 0));
      }
    }
    this.app.replaceHead(next);
    this.mixing.hidden = alike === null;
    setRange(this.mix, 1);
    this.listSeeds();
  }

  private async mixTo(share: number): Promise<void> {
    setRange(this.mix, share);
    if (this.busy) return;
    await this.attempt(async () => {
      for (let shown = -1; shown !== Number(this.mix.value);) {
        shown = Number(this.mix.value);
        const glb = shown === 1 ? this.pair!.now.glb : await this.between(shown);
        if (glb !== null) this.app.replaceHead({ ...this.pair!.now, glb });
      }
    });
  }

  /** The head at a share of the way; null where the two are of different builds. */
  private async between(share: number): Promise<ArrayBuffer | null> {
    const { before, now } = this.pair!;
    const [one, other] = [new Glb(before), new Glb(now.glb)];
    const build = (glb: Glb): string =>
      JSON.stringify([glb.json.meshes?.map((mesh) => [mesh.primitives, mesh.extras?.targetNames])]) +
      JSON.stringify(glb.json.accessors?.map(({ count, type }) => [count, type]));
    if (build(one) !== build(other)) return null;
    const written = await writeGlb(one, null, { glb: other, share });
    return written.buffer as ArrayBuffer;
  }

  private async compareSeed(seed: number): Promise<void> {
    const glb = await identity(seed, this.style);
    this.compareWith(glb, `Embedded head ${seed}`, `identity-${seed}-${this.style}`);
  }

  private async compareFile(file: File): Promise<void> {
    if (/\.glb$/i.test(file.name) && !this.app.source.served) {
      return this.compareWith(await inflated(new Uint8Array(await file.arrayBuffer())), file.name, "");
    }
    if (!this.app.source.served) throw new Error(`${file.name}: this page can open .glb rigs`);
    try {
      const { id, glb } = await this.app.incoming.rigOf("heads", file.name, file);
      this.compareWith(glb, file.name, id);
    } finally {
      this.app.incoming.finished();
    }
  }

  private compareWith(glb: ArrayBuffer, title: string, head: string): void {
    const metadata = { ...this.app.source.metadata, title };
    this.compare.show({ ...this.app.source, glb, head, metadata }, this.app.source.metadata.title, this.app.names);
    this.changed();
    this.away.hidden = false;
    this.app.posedAgain();
  }

  private compareEnded(): void {
    this.compare.clear();
    this.away.hidden = true;
  }

  private async attempt(action: () => Promise<void>): Promise<void> {
    if (this.busy) {
      this.next = action;
      return;
    }
    this.busy = true;
    try {
      await action();
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      this.app.say(error.message || "Cancelled.", error.message !== "");
    } finally {
      this.busy = false;
      this.app.incoming.finished();
    }
    const { next } = this;
    this.next = null;
    if (next !== null) await this.attempt(next);
  }
}

async function identity(seed: number, style: string): Promise<ArrayBuffer> {
  const answer = await fetch(address(`identities/${seed}/rig.bin`, { style }));
  if (!answer.ok) throw new Error(`head ${seed}: the server answered ${answer.status}`);
  return inflated(new Uint8Array(await answer.arrayBuffer()));
}
