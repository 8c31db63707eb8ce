// Play, pause, scrub, loop, frame rate, length, and the keyframes below.

import { button, element, range, setRange } from "./elements";
import { Lanes, type LaneEvents } from "./lanes";
import type { Project } from "./project";

export interface TimelineEvents extends LaneEvents {
  /** Time moved, by playing or by the reader's hand. */
  seeked(time: number): void;
  /** Sets a key of everything that moves, at the present time. */
  keyed(): void;
  settings(change: Partial<Pick<Project, "seconds" | "fps" | "loop">>): void;
  recording(on: boolean): void;
}

export class Timeline {
  readonly root: HTMLElement;
  time = 0;
  private playing = false;
  private project: Project | null = null;
  private readonly play: HTMLButtonElement;
  private readonly scrubber: HTMLInputElement;
  private readonly loop: HTMLButtonElement;
  private readonly fps = numberField("Frames per second", 1, 240, 1);
  private readonly seconds = numberField("Length in seconds", 0.1, 3600, 0.1);
  private readonly clock = element("span", { class: "clock", "aria-hidden": "true" });
  private readonly lanes: Lanes;

  constructor(private readonly events: TimelineEvents) {
    this.lanes = new Lanes(events);
    this.play = button("", { class: "play" }, () => this.toggle());
    this.scrubber = range({ min: 0, max: 1, step: "any", value: 0, "aria-label": "Time" });
    this.scrubber.addEventListener("input", () => {
      this.pause();
      this.seek(Number(this.scrubber.value));
    });
    this.scrubber.addEventListener("keydown", (event) => {
      const steps: Record<string, number> = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 };
      if (!(event.key in steps)) return;
      event.preventDefault();
      this.step(steps[event.key]);
    });
    const key = button("Key", { class: "key-now", title: "Set a key of every unit that moves (K)" }, () =>
      events.keyed(),
    );
    const record = button("Record", { class: "record", "aria-pressed": "false" }, () => {
      const on = record.getAttribute("aria-pressed") !== "true";
      record.setAttribute("aria-pressed", String(on));
      events.recording(on);
    });
    record.title = "While on, moving a slider sets a key at the present time";
    this.loop = button("Loop", { "aria-pressed": "true" }, () => events.settings({ loop: !this.project?.loop }));
    this.fps.input.addEventListener("change", () => events.settings({ fps: this.fps.value() }));
    this.seconds.input.addEventListener("change", () => events.settings({ seconds: this.seconds.value() }));
    const transport = element("div", { class: "transport" }, this.play, this.scrubber, this.clock);
    const settings = element(
      "div",
      { class: "settings" },
      key,
      record,
      this.loop,
      this.fps.label("fps"),
      this.seconds.label("s"),
    );
    this.root = element("section", { class: "timeline", "aria-label": "Animation" }, transport, settings);
    this.root.append(this.lanes.root);
    this.showState();
  }

  show(project: Project): void {
    this.project = project;
    this.time = Math.min(this.time, project.seconds);
    this.scrubber.max = String(project.seconds);
    this.loop.setAttribute("aria-pressed", String(project.loop));
    this.fps.show(project.fps);
    this.seconds.show(project.seconds);
    this.lanes.show(project);
    this.showTime();
  }

  toggle(): void {
    if (this.playing) this.pause();
    else this.start();
  }

  start(): void {
    if (this.playing || this.project === null) return;
    if (this.time >= this.project.seconds) this.time = 0;
    this.playing = true;
    this.showState();
    let previous = performance.now();
    const step = (now: number): void => {
      if (!this.playing || this.project === null) return;
      const { seconds, loop } = this.project;
      const next = this.time + Math.max(now - previous, 0) / 1000;
      previous = now;
      if (next >= seconds && !loop) this.pause();
      this.seek(loop ? next % seconds : next);
      requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  pause(): void {
    if (!this.playing) return;
    this.playing = false;
    this.showState();
  }

  seek(time: number): void {
    this.time = Math.min(Math.max(time, 0), this.project?.seconds ?? 0);
    this.showTime();
    this.events.seeked(this.time);
  }

  step(frames: number): void {
    this.pause();
    const fps = this.project?.fps ?? 30;
    this.seek((Math.round(this.time * fps) + frames) / fps);
  }

  private showState(): void {
    const label = this.playing ? "Pause" : "Play";
    this.play.setAttribute("aria-label", label);
    this.play.title = `${label} (space)`;
    this.play.classList.toggle("playing", this.playing);
  }

  private showTime(): void {
    const seconds = this.project?.seconds ?? 0;
    setRange(this.scrubber, this.time);
    this.clock.textContent = `${this.time.toFixed(2)} / ${seconds.toFixed(2)} s`;
    this.scrubber.setAttribute("aria-valuetext", `${this.time.toFixed(2)} of ${seconds.toFixed(2)} seconds`);
    this.lanes.showTime(this.time);
  }
}

/** A small number input that ignores what it cannot read. */
function numberField(name: string, low: number, high: number, step: number) {
  const input = element("input", { type: "number", min: low, max: high, step, "aria-label": name });
  let last = low;
  return {
    input,
    value: (): number => {
      const typed = input.valueAsNumber;
      return Number.isFinite(typed) ? Math.min(Math.max(typed, low), high) : last;
    },
    show: (value: number): void => {
      last = value;
      if (document.activeElement !== input) input.value = String(Number(value.toFixed(2)));
    },
    label: (unit: string): HTMLElement => element("label", { class: "number", title: name }, input, unit),
  };
}
