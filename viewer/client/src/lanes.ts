// The keyframes of the layer at hand, a lane a unit: keys are dragged in time, and reached by the keyboard.

import type { Animator } from "./animator";
import { element } from "./elements";
import { twoDigits } from "./intensity";
import { onFrame } from "./key_edits";
import { EASES, sampleTrack, type Key, type Track } from "./keys";
import type { Layer } from "./layers";
import type { TimeView } from "./time_view";

/** Beyond this many keys in sight a page element for each would be slow, and no hand edits them: lanes show bars. */
const MOST_HANDLES = 1500;
const BAR_STOPS = 60;

export class Lanes {
  readonly root = element("div", { class: "lanes", role: "group", "aria-label": "Keyframes" });
  private focused: { unit: string; time: number } | null = null;
  private drawn = "";
  private layer: Layer | null = null;

  constructor(
    private readonly animator: Animator,
    private readonly view: TimeView,
  ) {}

  show(): void {
    const { layer, view } = this;
    const next = this.animator.layer;
    const span = `${view.start} ${view.end}`;
    if (
      layer?.tracks === next.tracks &&
      layer.locked === next.locked &&
      layer.lockedUnits === next.lockedUnits &&
      this.drawn === span
    )
      return;
    this.layer = next;
    this.drawn = span;
    const shown = [...next.tracks].map(([unit, track]) => [unit, track.filter((key) => view.shows(key.time))] as const);
    const total = shown.reduce((sum, [, track]) => sum + track.length, 0);
    const rows = shown.map(([unit, keys]) => {
      const lane = element("div", { class: "lane" });
      if (total <= MOST_HANDLES) lane.append(...keys.map((key) => this.handle(unit, key)));
      else lane.append(this.bar(next.tracks.get(unit)!));
      return element("div", { class: "lane-row" }, element("span", { class: "lane-name" }, unit), lane);
    });
    if (rows.length === 0)
      rows.push(
        element(
          "p",
          { class: "hint" },
          `No keys in the layer ${next.name} yet. Move a slider and press K, or switch Record on.`,
        ),
      );
    this.root.replaceChildren(...rows);
    this.restoreFocus();
  }

  private handle(unit: string, key: Key): HTMLElement {
    const { animator, view } = this;
    const mean = twoDigits((key.left + key.right) / 2);
    const made = element("button", { type: "button", class: `key ${key.ease}` });
    made.setAttribute("aria-label", `${unit} ${mean} at ${key.time.toFixed(2)} s, ${key.ease}`);
    made.title = `${unit} ${mean} at ${key.time.toFixed(2)} s, ${key.ease}. Drag or arrows: time. Enter: ease. Delete.`;
    made.dataset["unit"] = unit;
    made.dataset["time"] = String(key.time);
    made.style.left = view.percent(key.time);
    let at = key.time;
    let pressed: number | null = null;
    made.addEventListener("pointerdown", (event) => {
      pressed = event.clientX;
      made.setPointerCapture(event.pointerId);
    });
    made.addEventListener("pointermove", (event) => {
      if (pressed === null) return;
      const lane = made.parentElement!.getBoundingClientRect();
      at = onFrame(key.time + ((event.clientX - pressed) / lane.width) * (view.end - view.start), animator.project);
      made.style.left = view.percent(at);
    });
    made.addEventListener("pointerup", () => {
      pressed = null;
      if (at !== key.time && !this.edit(unit, key.time, (each) => ({ ...each, time: at })))
        made.style.left = view.percent(key.time);
    });
    made.addEventListener("keydown", (event) => {
      const steps: Record<string, number> = { ArrowLeft: -1, ArrowRight: 1 };
      const step = steps[event.key];
      const { project } = animator;
      if (step !== undefined) {
        const time = onFrame(key.time + step / project.fps, project);
        this.edit(unit, key.time, (each) => ({ ...each, time }));
      } else if (event.key === "Delete" || event.key === "Backspace") this.edit(unit, key.time, () => null);
      else if (event.key === "Enter") this.ease(unit, key);
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    made.addEventListener("dblclick", () => this.ease(unit, key));
    return made;
  }

  private edit(unit: string, time: number, change: (key: Key) => Key | null): boolean {
    const key = { unit, time };
    if (!this.animator.free(this.animator.layer, [key])) return false;
    this.focused = {
      unit,
      time: change(this.animator.layer.tracks.get(unit)!.find((each) => each.time === time)!)?.time ?? time,
    };
    this.animator.edit([key], change);
    return true;
  }

  private ease(unit: string, key: Key): void {
    const ease = EASES[(EASES.indexOf(key.ease) + 1) % EASES.length];
    this.edit(unit, key.time, (each) => ({ ...each, ease }));
  }

  private restoreFocus(): void {
    if (this.focused === null) return;
    const { unit, time } = this.focused;
    this.focused = null;
    const keys = [...this.root.querySelectorAll<HTMLElement>(".key")];
    keys.find((key) => key.dataset["unit"] === unit && Number(key.dataset["time"]) === time)?.focus();
  }

  /** A lane of many keys: how strong the unit is over time. */
  private bar(track: Track): HTMLElement {
    const stops = Array.from({ length: BAR_STOPS + 1 }, (_, place) => {
      const [left, right] = sampleTrack(track, this.view.time(place / BAR_STOPS));
      const share = Math.min(Math.abs(left + right) / 2, 1);
      return `color-mix(in srgb, var(--accent) ${(100 * share).toFixed(0)}%, var(--button)) ${((100 * place) / BAR_STOPS).toFixed(2)}%`;
    });
    const made = element("div", { class: "bar" });
    made.style.background = `linear-gradient(to right, ${stops.join(", ")})`;
    return made;
  }
}
