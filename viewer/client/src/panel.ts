// The side panel: presets, the emotion pad, and the sliders of all units in their FACS groups.

import { button, element, range, setRange } from "./elements";
import { EmotionPad } from "./emotion_pad";
import { LETTERS } from "./intensity";
import type { UnitInfo, ViewerMetadata } from "./messages";
import { columnOf, isSided, type Pose, type Side } from "./pose";
import { UnitRow } from "./unit_row";

const OTHER_GROUP = "Other shapes";
const HINT =
  "Double-click a slider, or press 0 on it, to zero it; 1 to 5 set the FACS letters A (trace) to E (maximum), L unlinks " +
  "its sides, S shows it alone.";
/** Halves that differ by more than this get sliders of their own. */
const DIFFERENT = 0.005;

export interface PanelEvents {
  unitChanged(unit: number, side: Side, weight: number): void;
  settled(): void;
  linked(unit: number, linked: boolean): void;
  soloChanged(units: ReadonlySet<number>): void;
  /** A whole expression, by named weights. */
  expression(weights: Readonly<Record<string, number>>, factor: number, tag: string): void;
  reset(): void;
  mirror(): void;
}

export class Panel {
  readonly root: HTMLElement;
  private readonly rows: UnitRow[] = [];
  private readonly detail = element("p", { class: "detail" }, HINT);
  private readonly groups: { section: HTMLElement; letters: HTMLElement; rows: UnitRow[] }[] = [];
  private readonly solo = new Set<number>();
  private readonly emotionButtons = new Map<string, HTMLButtonElement>();
  private readonly search = element("input", {
    type: "search",
    placeholder: "Unit or muscle",
    "aria-label": "Find a unit or muscle",
  });
  private readonly title = element("h1");
  private pad: EmotionPad | null = null;
  private shownExpression: (() => void) | null = null;

  constructor(
    private readonly metadata: ViewerMetadata,
    private readonly names: readonly string[],
    private readonly events: PanelEvents,
  ) {
    this.title.textContent = metadata.title;
    const head = element("header", {}, this.title);
    this.root = element("aside", { class: "panel", "aria-label": "Controls" }, head);
    if (names.length === 0) {
      this.root.append(
        element(
          "p",
          { class: "empty" },
          metadata.opens === null
            ? "This file has no morph targets, so there is nothing to move."
            : "No sliders yet: they come with the rig that is predicted for a head.",
        ),
      );
      return;
    }
    const usable = (units: Readonly<Record<string, number>>): boolean =>
      Object.keys(units).some((unit) => columnOf(unit, names) !== null);
    if (metadata.emotions.some((emotion) => usable(emotion.units))) this.root.append(this.emotions());
    this.root.append(this.tools());
    const scroll = element("div", { class: "units", tabindex: -1 });
    for (const [group, units] of groupsOf(metadata, names)) scroll.append(this.group(group, units));
    this.root.append(scroll, this.detail);
  }

  /** Shows a pose on the sliders. */
  show(pose: Pose, unlinked: ReadonlySet<string>): void {
    const right = this.names.length;
    for (const row of this.rows) {
      const [one, other] = [pose[row.index], pose[right + row.index]];
      row.setLinked(!unlinked.has(this.names[row.index]) && Math.abs(one - other) <= DIFFERENT);
      row.show(one, other);
    }
  }

  /** No preset is on any more, because something else moved the face. */
  forgetExpression(): void {
    this.shownExpression = null;
    for (const each of this.emotionButtons.values()) each.setAttribute("aria-pressed", "false");
    this.pad?.release();
  }

  setTitle(title: string): void {
    this.title.textContent = title;
  }

  focusSearch(): void {
    this.search.focus();
  }

  private emotions(): HTMLElement {
    const intensity = range({ id: "intensity", min: 0, max: 1, step: 0.01 });
    const value = element("output", { for: "intensity" }, "1.00");
    setRange(intensity, 1);
    intensity.addEventListener("input", () => {
      setRange(intensity, Number(intensity.value));
      value.textContent = Number(intensity.value).toFixed(2);
      this.shownExpression?.();
    });
    intensity.addEventListener("change", () => this.events.settled());
    const present = (units: Readonly<Record<string, number>>, tag: string): void => {
      this.shownExpression = () => this.events.expression(units, Number(intensity.value), tag);
      this.shownExpression();
    };
    const buttons = this.metadata.emotions.map((emotion) => {
      const made = button(emotion.name, { class: "emotion", "aria-pressed": "false" }, () => {
        this.forgetExpression();
        made.setAttribute("aria-pressed", "true");
        present(emotion.units, emotion.name);
        this.events.settled();
      });
      this.emotionButtons.set(emotion.name, made);
      return made;
    });
    const choice = element("div", { class: "choice" }, element("div", { class: "buttons" }, ...buttons));
    if (this.metadata.pad.length > 0) {
      this.pad = new EmotionPad(
        this.metadata.pad,
        (weights) => {
          for (const each of this.emotionButtons.values()) each.setAttribute("aria-pressed", "false");
          present(weights, "pad");
        },
        () => this.events.settled(),
      );
      choice.append(this.pad.root);
    }
    return element(
      "section",
      { class: "emotions", "aria-labelledby": "emotions-heading" },
      element("h2", { id: "emotions-heading" }, "Emotions"),
      choice,
      element("div", { class: "intensity" }, element("label", { for: "intensity" }, "Intensity"), intensity, value),
    );
  }

  private tools(): HTMLElement {
    this.search.addEventListener("input", () => this.filter(this.search.value));
    const overdrive = button("x1.5", { class: "overdrive", "aria-pressed": "false" }, () => {
      const on = overdrive.getAttribute("aria-pressed") !== "true";
      overdrive.setAttribute("aria-pressed", String(on));
      for (const row of this.rows) row.setLargest(on ? 1.5 : 1);
      for (const { letters } of this.groups) letters.style.setProperty("--largest", on ? "1.5" : "1");
    });
    overdrive.title = "Overdrive: let sliders go to 1.5";
    overdrive.setAttribute("aria-label", "Overdrive: let sliders go to 1.5");
    const mirror = button("Mirror", {}, () => this.events.mirror());
    mirror.title = "Swap the sides of the expression (M)";
    return element(
      "div",
      { class: "tools" },
      this.search,
      overdrive,
      mirror,
      button("Zero", { class: "reset", title: "All units to zero" }, () => {
        this.forgetExpression();
        this.events.reset();
      }),
    );
  }

  private group(name: string, units: readonly number[]): HTMLElement {
    const id = `group-${this.groups.length}`;
    const letters = element(
      "div",
      { class: "letters", "aria-hidden": "true" },
      ...LETTERS.map((letter) => element("span", {}, letter)),
    );
    const heading = element("div", { class: "heading" }, element("h2", { id }, name), letters);
    const section = element("section", { "aria-labelledby": id }, heading);
    const rows = units.map((index) => {
      const info = infoOf(this.metadata, this.names[index], name);
      return new UnitRow(info, index, isSided(this.names[index]), {
        changed: (unit, side, weight) => {
          this.forgetExpression();
          this.events.unitChanged(unit, side, weight);
        },
        settled: () => this.events.settled(),
        linked: (unit, linked) => this.events.linked(unit, linked),
        solo: (unit) => this.toggleSolo(unit),
        attended: (unit) => this.describe(unit),
      });
    });
    section.append(...rows.map((row) => row.root));
    this.rows.push(...rows);
    this.groups.push({ section, letters, rows });
    return section;
  }

  private toggleSolo(unit: number): void {
    if (!this.solo.delete(unit)) this.solo.add(unit);
    for (const row of this.rows) row.setSolo(this.solo.has(row.index));
    this.root.classList.toggle("soloing", this.solo.size > 0);
    this.events.soloChanged(this.solo);
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

/** Units by heading, in the metadata's order; other targets behind them. */
function groupsOf(metadata: ViewerMetadata, names: readonly string[]): Map<string, number[]> {
  const known = metadata.units.map((unit) => unit.name).filter((name) => names.includes(name));
  const groups = new Map<string, number[]>();
  for (const name of [...known, ...names.filter((each) => !known.includes(each))]) {
    const group = infoOf(metadata, name, OTHER_GROUP).group;
    groups.set(group, [...(groups.get(group) ?? []), names.indexOf(name)]);
  }
  return groups;
}

function infoOf(metadata: ViewerMetadata, name: string, group: string): UnitInfo {
  return (
    metadata.units.find((each) => each.name === name) ?? { name, facs_name: "", muscle: "", group, description: "" }
  );
}
