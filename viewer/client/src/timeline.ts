// Play, pause and scrub.

import { button, element, range, setRange } from "./elements";

/** Calls `moved` with the time in seconds whenever it changes, by playing (in a loop) or by the reader's hand. */
export class Timeline {
  readonly root: HTMLElement;
  time = 0;
  private playing = false;
  private readonly play: HTMLButtonElement;
  private readonly scrubber: HTMLInputElement;
  private readonly clock = element("span", { class: "clock", "aria-hidden": "true" });

  constructor(
    private readonly duration: number,
    private readonly moved: (time: number) => void,
  ) {
    this.play = button("", { class: "play" }, () => (this.playing ? this.pause() : this.start()));
    this.scrubber = range({ min: 0, max: duration, step: "any", value: 0, "aria-label": "Time" });
    this.scrubber.addEventListener("input", () => {
      this.pause();
      this.seek(Number(this.scrubber.value));
    });
    this.scrubber.addEventListener("keydown", (event) => {
      const steps: Record<string, number> = {
        ArrowLeft: -1 / 30,
        ArrowDown: -1 / 30,
        ArrowRight: 1 / 30,
        ArrowUp: 1 / 30,
      };
      if (!(event.key in steps)) return;
      event.preventDefault();
      this.pause();
      this.seek(this.time + steps[event.key]);
    });
    this.root = element(
      "div",
      { class: "timeline", role: "group", "aria-label": "Animation" },
      this.play,
      this.scrubber,
      this.clock,
    );
    this.showState();
    this.showTime();
  }

  start(): void {
    if (this.playing) return;
    this.playing = true;
    this.showState();
    let previous = performance.now();
    const step = (now: number): void => {
      if (!this.playing) return;
      const next = this.time + Math.max(now - previous, 0) / 1000;
      previous = now;
      this.seek(this.duration > 0 ? next % this.duration : 0);
      requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  pause(): void {
    this.playing = false;
    this.showState();
  }

  seek(time: number): void {
    this.time = Math.min(Math.max(time, 0), this.duration);
    this.showTime();
    this.moved(this.time);
  }

  private showState(): void {
    const label = this.playing ? "Pause" : "Play";
    this.play.setAttribute("aria-label", label);
    this.play.title = label;
    this.play.classList.toggle("playing", this.playing);
  }

  private showTime(): void {
    setRange(this.scrubber, this.time);
    this.clock.textContent = `${this.time.toFixed(2)} / ${this.duration.toFixed(2)} s`;
    this.scrubber.setAttribute("aria-valuetext", `${this.time.toFixed(2)} of ${this.duration.toFixed(2)} seconds`);
  }
}
