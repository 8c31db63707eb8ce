// The side panel: presets, and the sliders of all units in their FACS groups.

import { button, element, range, setRange } from "./elements";
import { LETTERS } from "./intensity";
import type { EmotionPreset, UnitInfo, ViewerMetadata } from "./messages";
import { UnitRow } from "./unit_row";

const OTHER_GROUP = "Other shapes";
const HINT =
  "Double-click a slider, or press Delete on it, to zero it. Letters are FACS intensities, A trace to E maximum.";

export interface PanelEvents {
  weightChanged(index: number, weight: number): void;
  emotionChosen(emotion: EmotionPreset, intensity: number): void;
  reset(): void;
}

export class Panel {
  readonly root: HTMLElement;
  private readonly rows: UnitRow[] = [];
  private readonly detail = element("p", { class: "detail" }, HINT);
  private readonly groups: { section: HTMLElement; rows: UnitRow[] }[] = [];
  private chosen: EmotionPreset | null = null;
  private readonly emotionButtons = new Map<string, HTMLButtonElement>();

  /** @param names of the rig's targets, in order; the last ones may be one-sided units of presets. */
  constructor(
    private readonly metadata: ViewerMetadata,
    names: readonly string[],
    firstSided: number,
    private readonly events: PanelEvents,
  ) {
    const head = element("header", {}, element("h1", {}, metadata.title));
    this.root = element("aside", { class: "panel", "aria-label": "Controls" }, head);
    if (names.length === 0) {
      this.root.append(
        element("p", { class: "empty" }, "This file has no morph targets, so there is nothing to move."),
      );
      return;
    }
    const usable = metadata.emotions.filter((emotion) =>
      Object.keys(emotion.units).some((unit) => names.includes(unit)),
    );
    if (usable.length > 0) this.root.append(this.emotions(usable));
    this.root.append(this.tools());
    const scroll = element("div", { class: "units" });
    for (const [group, indices] of groupsOf(metadata, names))
      scroll.append(this.group(group, indices, names, firstSided));
    this.root.append(scroll, this.detail);
  }

  /** Shows these weights on the sliders. */
  show(weights: ArrayLike<number>): void {
    for (const row of this.rows) row.show(weights[row.index]);
  }

  /** No preset is on any more, because something else moved the face. */
  forgetEmotion(): void {
    this.chosen = null;
    for (const each of this.emotionButtons.values()) each.setAttribute("aria-pressed", "false");
  }

  private emotions(emotions: readonly EmotionPreset[]): HTMLElement {
    const intensity = range({ id: "intensity", min: 0, max: 1, step: 0.01 });
    const value = element("output", { for: "intensity" }, "1.00");
    setRange(intensity, 1);
    const apply = (): void => {
      if (this.chosen !== null) this.events.emotionChosen(this.chosen, Number(intensity.value));
    };
    intensity.addEventListener("input", () => {
      setRange(intensity, Number(intensity.value));
      value.textContent = Number(intensity.value).toFixed(2);
      apply();
    });
    const buttons = emotions.map((emotion) => {
      const made = button(emotion.name, { class: "emotion", "aria-pressed": "false" }, () => {
        this.forgetEmotion();
        this.chosen = emotion;
        made.setAttribute("aria-pressed", "true");
        apply();
      });
      this.emotionButtons.set(emotion.name, made);
      return made;
    });
    return element(
      "section",
      { class: "emotions", "aria-labelledby": "emotions-heading" },
      element("h2", { id: "emotions-heading" }, "Emotions"),
      element("div", { class: "buttons" }, ...buttons),
      element("div", { class: "intensity" }, element("label", { for: "intensity" }, "Intensity"), intensity, value),
    );
  }

  private tools(): HTMLElement {
    const search = element("input", {
      type: "search",
      placeholder: "Find a unit or muscle",
      "aria-label": "Find a unit or muscle",
    });
    search.addEventListener("input", () => this.filter(search.value));
    return element(
      "div",
      { class: "tools" },
      search,
      button("Reset", { class: "reset" }, () => this.events.reset()),
    );
  }

  private group(name: string, indices: readonly number[], names: readonly string[], firstSided: number): HTMLElement {
    const id = `group-${this.groups.length}`;
    const letters = LETTERS.map((letter) => element("span", {}, letter));
    const section = element(
      "section",
      { "aria-labelledby": id },
      element(
        "div",
        { class: "heading" },
        element("h2", { id }, name),
        element("div", { class: "letters", "aria-hidden": "true" }, ...letters),
      ),
    );
    const rows = indices.map((index) => {
      const info = infoOf(this.metadata, names[index], name);
      return new UnitRow(info, index, index >= firstSided, {
        changed: (target, weight) => this.events.weightChanged(target, weight),
        attended: (unit) => this.describe(unit),
      });
    });
    section.append(...rows.map((row) => row.root));
    this.rows.push(...rows);
    this.groups.push({ section, rows });
    return section;
  }

  private describe(unit: UnitInfo): void {
    const parts = [unit.muscle, unit.description].filter((part) => part !== "");
    this.detail.replaceChildren(element("strong", {}, `${unit.name} ${unit.facs_name}`), ` ${parts.join(". ")}`);
  }

  private filter(query: string): void {
    const words = query
      .toLowerCase()
      .split(/\s+/)
      .filter((word) => word !== "");
    for (const { section, rows } of this.groups) {
      for (const row of rows) row.root.classList.toggle("filtered", !row.matches(words));
      section.hidden = rows.every((row) => row.root.classList.contains("filtered"));
    }
  }
}

/** Indices of the rig's targets by heading: units in the metadata's order, each followed by its one-sided forms. */
function groupsOf(metadata: ViewerMetadata, names: readonly string[]): Map<string, number[]> {
  const order = metadata.units.flatMap((unit) => [unit.name, `${unit.name}L`, `${unit.name}R`]);
  const known = [...new Set(order)].filter((name) => names.includes(name));
  const groups = new Map<string, number[]>();
  for (const name of [...known, ...names.filter((each) => !known.includes(each))]) {
    const group = infoOf(metadata, name, OTHER_GROUP).group;
    groups.set(group, [...(groups.get(group) ?? []), names.indexOf(name)]);
  }
  return groups;
}

function infoOf(metadata: ViewerMetadata, name: string, group: string): UnitInfo {
  const unit = metadata.units.find((each) => each.name === name);
  if (unit !== undefined) return unit;
  const whole = metadata.units.find((each) => each.name === name.slice(0, -1));
  if (whole !== undefined)
    return { ...whole, name, facs_name: `${whole.facs_name}, ${name.endsWith("L") ? "left" : "right"}` };
  return { name, facs_name: "", muscle: "", group, description: "" };
}
