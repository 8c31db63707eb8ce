// Time along the top of the lanes: marks, and a slider that scrubs.

import { colorsOf, fitCanvas, prepared } from "./canvas";
import { element, range, setRange } from "./elements";
import { rulerStep, type TimeView } from "./time_view";

const APART_PX = 64;

export class Ruler {
  readonly root: HTMLElement;
  private readonly slider = range({ class: "scrubber", min: 0, max: 1, step: "any", value: 0, "aria-label": "Time" });
  private readonly canvas = element("canvas", { class: "marks", "aria-hidden": "true" });
  private readonly release: () => void;

  constructor(
    private readonly view: TimeView,
    events: { scrubbed(time: number): void; stepped(frames: number): void },
  ) {
    this.root = element("div", { class: "ruler" }, this.canvas, this.slider);
    this.slider.addEventListener("input", () => events.scrubbed(Number(this.slider.value)));
    this.slider.addEventListener("keydown", (event) => {
      const steps: Record<string, number> = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 };
      if (!(event.key in steps)) return;
      event.preventDefault();
      events.stepped(steps[event.key] * (event.shiftKey ? 10 : 1));
    });
    view.listen(this.root);
    this.release = fitCanvas(this.canvas, () => this.draw());
  }

  showTime(time: number, seconds: number): void {
    this.slider.min = String(this.view.start);
    this.slider.max = String(this.view.end);
    setRange(this.slider, time);
    this.slider.setAttribute("aria-valuetext", `${time.toFixed(2)} of ${seconds.toFixed(2)} seconds`);
  }

  draw(): void {
    const ready = prepared(this.canvas);
    if (ready === null) return;
    const { pen, width, height } = ready;
    const color = colorsOf(this.root);
    const span = this.view.end - this.view.start;
    const step = rulerStep(span / width, APART_PX);
    const digits = step < 0.1 ? 2 : step < 1 ? 1 : 0;
    pen.font = `11px ${getComputedStyle(this.root).fontFamily}`;
    pen.textAlign = "left";
    for (let mark = Math.ceil(this.view.start / (step / 5) - 1e-9); mark * (step / 5) <= this.view.end + 1e-9; mark++) {
      const x = Math.round(this.view.share(mark * (step / 5)) * width) + 0.5;
      const major = mark % 5 === 0;
      pen.fillStyle = color("track");
      pen.fillRect(x - 0.5, major ? height - 9 : height - 4, 1, major ? 9 : 4);
      if (!major || x > width - 18) continue;
      pen.fillStyle = color("soft");
      pen.fillText(`${(mark * (step / 5)).toFixed(digits)}`, x + 3, height - 6);
    }
  }

  dispose(): void {
    this.release();
  }
}
