// The keyframes of every animated unit, a lane each: keys are dragged in time, and reached by the keyboard.

import { element } from "./elements";
import { EASES, type Ease, type Key, type Track } from "./keys";
import type { Project } from "./project";

/** Beyond this many keys a page element for each would be slow, and no hand edits them: lanes show bars instead. */
const MOST_HANDLES = 1500;

export interface LaneEvents {
  moved(unit: string, from: number, to: number): void;
  removed(unit: string, time: number): void;
  eased(unit: string, time: number, ease: Ease): void;
  settled(): void;
}

export class Lanes {
  readonly root = element("div", { class: "lanes", role: "group", "aria-label": "Keyframes" });
  private readonly cursor = element("div", { class: "cursor", "aria-hidden": "true" });
  private project: Project | null = null;
  private focused: { unit: string; time: number } | null = null;

  constructor(private readonly events: LaneEvents) {}

  show(project: Project): void {
    if (this.project?.tracks === project.tracks && this.project.seconds === project.seconds) return;
    this.project = project;
    this.root.hidden = project.tracks.size === 0;
    const total = [...project.tracks.values()].reduce((sum, track) => sum + track.length, 0);
    const rows = [...project.tracks].map(([unit, track]) => {
      const lane = element("div", { class: "lane" });
      if (total <= MOST_HANDLES) lane.append(...track.map((key) => this.handle(unit, key, project)));
      else lane.append(bar(track, project.seconds));
      return element("div", { class: "lane-row" }, element("span", { class: "lane-name" }, unit), lane);
    });
    this.root.replaceChildren(...rows, element("div", { class: "cursor-track", "aria-hidden": "true" }, this.cursor));
    this.restoreFocus();
  }

  showTime(time: number): void {
    const share = this.project === null ? 0 : time / this.project.seconds;
    this.cursor.style.left = `${100 * Math.min(share, 1)}%`;
  }

  private handle(unit: string, key: Key, project: Project): HTMLElement {
    const mean = ((key.left + key.right) / 2).toFixed(2);
    const made = element("button", { type: "button", class: `key ${key.ease}` });
    made.setAttribute("aria-label", `${unit} ${mean} at ${key.time.toFixed(2)} s, ${key.ease}`);
    made.title = `${unit} ${mean} at ${key.time.toFixed(2)} s, ${key.ease}. Drag or arrows: time. Enter: ease. Delete.`;
    made.dataset["unit"] = unit;
    made.dataset["time"] = String(key.time);
    made.style.left = `${(100 * key.time) / project.seconds}%`;
    let at = key.time;
    let pressed: number | null = null;
    made.addEventListener("pointerdown", (event) => {
      pressed = event.clientX;
      made.setPointerCapture(event.pointerId);
    });
    made.addEventListener("pointermove", (event) => {
      if (pressed === null) return;
      const lane = made.parentElement!.getBoundingClientRect();
      at = onFrame(key.time + ((event.clientX - pressed) / lane.width) * project.seconds, project);
      made.style.left = `${(100 * at) / project.seconds}%`;
    });
    made.addEventListener("pointerup", () => {
      pressed = null;
      if (at !== key.time) this.move(unit, key.time, at);
    });
    made.addEventListener("keydown", (event) => {
      const steps: Record<string, number> = { ArrowLeft: -1, ArrowRight: 1 };
      const step = steps[event.key];
      if (step !== undefined) this.move(unit, key.time, onFrame(key.time + step / project.fps, project));
      else if (event.key === "Delete" || event.key === "Backspace") this.events.removed(unit, key.time);
      else if (event.key === "Enter") this.ease(unit, key);
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    made.addEventListener("dblclick", () => this.ease(unit, key));
    return made;
  }

  private move(unit: string, from: number, to: number): void {
    this.focused = { unit, time: to };
    this.events.moved(unit, from, to);
    this.events.settled();
  }

  private ease(unit: string, key: Key): void {
    this.focused = { unit, time: key.time };
    this.events.eased(unit, key.time, EASES[(EASES.indexOf(key.ease) + 1) % EASES.length]);
    this.events.settled();
  }

  private restoreFocus(): void {
    if (this.focused === null) return;
    const { unit, time } = this.focused;
    this.focused = null;
    const keys = [...this.root.querySelectorAll<HTMLElement>(".key")];
    keys.find((key) => key.dataset["unit"] === unit && Number(key.dataset["time"]) === time)?.focus();
  }
}

function onFrame(time: number, { seconds, fps }: Project): number {
  return Math.min(Math.max(Math.round(time * fps) / fps, 0), seconds);
}

/** A lane of many keys: how strong the unit is over time. */
function bar(track: Track, seconds: number): HTMLElement {
  const stops = Array.from({ length: 41 }, (_, place) => {
    const time = (place / 40) * seconds;
    const key = track.reduce((best, each) => (Math.abs(each.time - time) < Math.abs(best.time - time) ? each : best));
    const share = Math.min((key.left + key.right) / 2, 1);
    return `color-mix(in srgb, var(--accent) ${(100 * share).toFixed(0)}%, var(--button)) ${2.5 * place}%`;
  });
  const made = element("div", { class: "bar" });
  made.style.background = `linear-gradient(to right, ${stops.join(", ")})`;
  return made;
}
