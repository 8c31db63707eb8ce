// Numbers and buttons for the chosen keys: what the mouse does to them, exactly, and by the keyboard.

import { button, element } from "./elements";
import { icon, type IconName } from "./icons";
import { twoDigits } from "./intensity";
import { EASES, type Ease, type Key } from "./keys";
import type { Side } from "./pose";
import { TOLERANCE } from "./thinning";

export interface InspectorEvents {
  timed(time: number): void;
  weighted(weight: number): void;
  eased(ease: Ease): void;
  /** Handles follow from the neighbours again, or stay where they are. */
  handles(free: boolean): void;
  scaled(times: number, weights: number): void;
  copied(): void;
  pasted(): void;
  removed(): void;
  added(): void;
  /** How far thinned curves may be off, also imported ones. */
  tolerated(tolerance: number): void;
  /** Thins the curves that are drawn. */
  thinned(): void;
}

const TOLERANCES = [0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05];

export class KeyInspector {
  readonly root = element("div", { class: "inspector", role: "group", "aria-label": "Chosen keys" });
  side: Side = "both";
  /** What is chosen, in words; its place is over the curves. */
  readonly told = element("p", { class: "told", role: "status" });
  private readonly time = field("Time of the key, seconds", 0.01);
  private readonly weight = field("Weight of the key", 0.01);
  private readonly ease = element("select", { "aria-label": "How the curve goes on" });
  private readonly handles = element("select", { "aria-label": "Handles" });
  private readonly scaleTime = field("Scale times by", 0.1);
  private readonly scaleWeight = field("Scale weights by", 0.1);
  private readonly sides = element("select", { "aria-label": "Sides that are changed" });
  private readonly needKeys: (HTMLInputElement | HTMLSelectElement | HTMLButtonElement)[];
  private readonly paste: HTMLButtonElement;

  constructor(events: InspectorEvents) {
    for (const ease of EASES) this.ease.append(element("option", { value: ease }, ease));
    this.handles.append(element("option", { value: "auto" }, "auto"), element("option", { value: "free" }, "free"));
    for (const side of ["both", "left", "right"] as const) this.sides.append(element("option", { value: side }, side));
    const number = (input: HTMLInputElement, use: (value: number) => void): void =>
      input.addEventListener("change", () => Number.isFinite(input.valueAsNumber) && use(input.valueAsNumber));
    number(this.time, events.timed);
    number(this.weight, events.weighted);
    number(this.scaleTime, (factor) => factor > 0 && events.scaled(factor, 1));
    number(this.scaleWeight, (factor) => events.scaled(1, factor));
    this.ease.addEventListener("change", () =>
      events.eased(EASES.find((ease) => ease === this.ease.value) ?? "linear"),
    );
    this.handles.addEventListener("change", () => events.handles(this.handles.value === "free"));
    this.sides.addEventListener("change", () => (this.side = this.sides.value as Side));
    const tool = (name: IconName, label: string, keys: string, use: () => void): HTMLButtonElement => {
      const made = button("", { class: "small", "aria-label": label, title: `${label} (${keys})` }, use);
      made.append(icon(name));
      return made;
    };
    const copy = tool("copy", "Copy the chosen keys", "Ctrl C", events.copied);
    this.paste = tool("paste", "Paste at the present time", "Ctrl V", events.pasted);
    const remove = tool("bin", "Delete the chosen keys", "Delete", events.removed);
    const add = tool("add", "Add a key to the curve in front, now", "Insert, or double click", events.added);
    const tolerance = element("select", { "aria-label": "Thinning tolerance, also of imported curves" });
    for (const each of TOLERANCES) {
      const text = each === 0 ? "exact" : `± ${each}`;
      tolerance.append(element("option", { value: each, selected: each === TOLERANCE }, text));
    }
    tolerance.addEventListener("change", () => events.tolerated(Number(tolerance.value)));
    const thin = button("Thin", { title: "Thin the curves that are drawn" }, events.thinned);
    this.needKeys = [this.ease, this.handles, this.scaleTime, this.scaleWeight, copy, remove];
    const labelled = (text: string, ...inputs: HTMLElement[]): HTMLElement =>
      element("span", { class: "number" }, text, ...inputs);
    this.root.append(
      element("div", { class: "cluster" }, labelled("Time", this.time), labelled("Weight", this.weight)),
      element("div", { class: "cluster" }, this.ease, this.handles),
      element("div", { class: "cluster" }, labelled("Scale ×", this.scaleTime, this.scaleWeight)),
      element("div", { class: "cluster" }, this.sides, add, copy, this.paste, remove),
      element("div", { class: "cluster" }, thin, tolerance),
    );
    this.show([], null, false);
  }

  /** @param unit the unit of a single chosen key. */
  show(keys: readonly Key[], unit: string | null, canPaste: boolean): void {
    const only = keys.length === 1 ? keys[0] : null;
    this.time.disabled = this.weight.disabled = only === null;
    for (const each of this.needKeys) each.disabled = keys.length === 0;
    this.scaleTime.disabled ||= keys.length < 2;
    this.paste.disabled = !canPaste;
    set(this.time, only === null ? "" : String(Number(only.time.toFixed(4))));
    const weight =
      only === null
        ? 0
        : this.side === "right"
          ? only.right
          : this.side === "left"
            ? only.left
            : (only.left + only.right) / 2;
    set(this.weight, only === null ? "" : String(Number(weight.toFixed(4))));
    set(this.scaleTime, keys.length < 2 ? "" : "1");
    set(this.scaleWeight, keys.length < 1 ? "" : "1");
    if (keys.length > 0) {
      this.ease.value = keys[0].ease;
      this.handles.value = keys.some((key) => key.arrive !== undefined || key.leave !== undefined) ? "free" : "auto";
    }
    const told =
      only !== null
        ? `${unit} at ${only.time.toFixed(2)} s: ${only.left === only.right ? twoDigits(only.left) : `left ${twoDigits(only.left)}, right ${twoDigits(only.right)}`}, ${only.ease}`
        : keys.length === 0
          ? ""
          : `${keys.length.toLocaleString("en")} keys`;
    if (this.told.textContent !== told) this.told.textContent = told;
  }
}

function field(name: string, step: number): HTMLInputElement {
  return element("input", { type: "number", step, "aria-label": name, title: name });
}

function set(input: HTMLInputElement, value: string): void {
  if (document.activeElement !== input || input.disabled) input.value = value;
}
