// The sound as a waveform under the ruler; dragging on it scrubs.

import { colorsOf, fitCanvas, prepared } from "./canvas";
import { element } from "./elements";
import type { LoadedSound } from "./sounds";
import type { TimeView } from "./time_view";
import { peakBetween } from "./waveform";

export class WaveLane {
  readonly root: HTMLElement;
  private readonly canvas = element("canvas", { class: "wave", role: "img", "aria-label": "Waveform" });
  private readonly name = element("span", { class: "lane-name" });
  private readonly release: () => void;
  private sound: LoadedSound | null = null;
  private missing: string | null = null;

  constructor(
    private readonly view: TimeView,
    scrubbed: (time: number) => void,
  ) {
    const area = element("div", { class: "area" }, this.canvas);
    this.root = element("div", { class: "track-row wave-row", hidden: true }, this.name, area);
    view.listen(area);
    const seek = (event: PointerEvent): void => {
      const box = area.getBoundingClientRect();
      scrubbed(Math.max(view.time((event.clientX - box.left) / box.width), 0));
    };
    area.addEventListener("pointerdown", (event) => {
      area.setPointerCapture(event.pointerId);
      seek(event);
    });
    area.addEventListener("pointermove", (event) => area.hasPointerCapture(event.pointerId) && seek(event));
    this.release = fitCanvas(this.canvas, () => this.draw());
  }

  /** @param missing the name of a sound that the project has and this page not. */
  show(sound: LoadedSound | null, missing: string | null): void {
    this.root.hidden = sound === null && missing === null;
    if (sound === this.sound && missing === this.missing) return;
    [this.sound, this.missing] = [sound, missing];
    const title = sound?.reference.name ?? `${missing} (open it to hear it)`;
    this.name.textContent = sound?.reference.name ?? "no sound";
    this.name.title = title;
    this.canvas.setAttribute("aria-label", `Waveform of ${title}`);
    this.draw();
  }

  draw(): void {
    const ready = prepared(this.canvas);
    if (ready === null) return;
    const { pen, width, height } = ready;
    const color = colorsOf(this.root);
    const middle = height / 2;
    pen.fillStyle = color("line");
    pen.fillRect(0, Math.round(middle), width, 1);
    if (this.sound === null) {
      pen.fillStyle = color("soft");
      pen.font = `12px ${getComputedStyle(this.root).fontFamily}`;
      pen.fillText(`Open ${this.missing ?? "the sound"} again to hear it.`, 6, middle - 5);
      return;
    }
    const { peaks } = this.sound;
    const loudest = Math.max(
      peaks.high.reduce((a, b) => Math.max(a, b), 0),
      -peaks.low.reduce((a, b) => Math.min(a, b), 0),
      0.02,
    );
    const tall = (middle - 1) / loudest;
    pen.fillStyle = color("wave");
    for (let x = 0; x < width; x++) {
      const from = this.view.time(x / width);
      if (from >= this.sound.reference.seconds) break;
      const [low, high] = peakBetween(peaks, from, this.view.time((x + 1) / width));
      pen.fillRect(x, middle - high * tall, 1, Math.max((high - low) * tall, 1));
    }
  }

  dispose(): void {
    this.release();
  }
}
