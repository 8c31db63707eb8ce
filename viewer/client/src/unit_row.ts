// One action unit in the panel: name, slider with A to E ticks, value.

import { element, range, setRange } from "./elements";
import { letterOf, spokenIntensity } from "./intensity";
import type { UnitInfo } from "./messages";

/** Weights below this read 0.00. */
const VISIBLE = 0.005;

export interface RowEvents {
  changed(index: number, weight: number): void;
  /** The pointer or the keyboard came to a row. */
  attended(info: UnitInfo): void;
}

export class UnitRow {
  readonly root: HTMLElement;
  private readonly slider: HTMLInputElement;
  private readonly value: HTMLElement;
  private shown = Number.NaN;

  /**
   * @param index of the rig's target.
   * @param onlyWhenActive hide the row while its weight is zero (one-sided units that a preset uses).
   */
  constructor(
    readonly info: UnitInfo,
    readonly index: number,
    private readonly onlyWhenActive: boolean,
    events: RowEvents,
  ) {
    const id = `unit-${index}`;
    this.slider = range({ id, min: 0, max: 1, step: 0.01, value: 0 });
    this.value = element("span", { class: "value", "aria-hidden": "true" });
    this.root = element(
      "div",
      { class: "unit" },
      element(
        "label",
        { for: id },
        element("strong", {}, info.name),
        " ",
        element("span", { class: "facs" }, info.facs_name),
      ),
      element("div", { class: "slider" }, this.slider, element("div", { class: "ticks", "aria-hidden": "true" })),
      this.value,
    );
    const zero = (): void => events.changed(index, 0);
    this.slider.addEventListener("input", () => events.changed(index, Number(this.slider.value)));
    this.root.addEventListener("dblclick", zero);
    this.slider.addEventListener("keydown", (event) => {
      if (event.key === "Delete" || event.key === "Backspace" || event.key === "0") zero();
    });
    this.root.addEventListener("pointerenter", () => events.attended(info));
    this.slider.addEventListener("focus", () => events.attended(info));
    this.show(0);
  }

  show(weight: number): void {
    if (weight === this.shown) return;
    this.shown = weight;
    setRange(this.slider, weight);
    this.slider.setAttribute("aria-valuetext", spokenIntensity(weight));
    const letter = letterOf(weight);
    this.value.replaceChildren(weight.toFixed(2), element("b", {}, letter));
    this.root.classList.toggle("active", weight >= VISIBLE);
    if (this.onlyWhenActive) this.root.hidden = weight < VISIBLE;
  }

  matches(words: readonly string[]): boolean {
    const text = `${this.info.name} ${this.info.facs_name} ${this.info.muscle}`.toLowerCase();
    return words.every((word) => text.includes(word));
  }
}
