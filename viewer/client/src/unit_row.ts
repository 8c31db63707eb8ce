// One action unit in the panel: name, a slider with A to E ticks (two when its halves are unlinked), link and solo.

import { button, element, range, setRange } from "./elements";
import { letterOf, spokenIntensity, twoDigits } from "./intensity";
import type { UnitInfo } from "./messages";
import type { Side } from "./pose";

/** Weights below this read 0.00. */
const VISIBLE = 0.005;

export interface RowEvents {
  changed(unit: number, side: Side, weight: number): void;
  /** A drag ended, or a key was let go. */
  settled(): void;
  linked(unit: number, linked: boolean): void;
  solo(unit: number): void;
  /** The pointer or the keyboard came to a row. */
  attended(info: UnitInfo): void;
}

interface Half {
  readonly line: HTMLElement;
  readonly slider: HTMLInputElement;
  readonly value: HTMLElement;
}

export class UnitRow {
  readonly root: HTMLElement;
  private readonly first: Half;
  private readonly second: Half | null;
  private readonly link: HTMLButtonElement | null;
  private readonly soloButton: HTMLButtonElement;
  private isLinked = true;
  private shown = "";

  /** @param sided whether the unit has halves. */
  constructor(
    readonly info: UnitInfo,
    readonly index: number,
    sided: boolean,
    private readonly events: RowEvents,
  ) {
    const id = `unit-${index}`;
    this.first = this.half(id, () => (this.isLinked ? "both" : "left"));
    this.second = sided ? this.half(`${id}-right`, () => "right") : null;
    this.link = sided ? button("L R", { class: "small link" }, () => events.linked(index, !this.isLinked)) : null;
    this.soloButton = button("S", { class: "small", "aria-pressed": "false" }, () => events.solo(index));
    this.soloButton.setAttribute("aria-label", `Solo ${info.name}`);
    this.soloButton.title = "Solo: show this unit alone (S)";
    const label = element(
      "label",
      { for: id },
      element("strong", {}, info.name),
      " ",
      element("span", { class: "facs" }, info.facs_name),
    );
    if (info.muscle !== "") label.title = `${info.facs_name}: ${info.muscle}`;
    const lines = element("div", { class: "lines" }, this.first.line);
    if (this.second !== null) lines.append(this.second.line);
    const tools = element("div", { class: "row-tools" });
    if (this.link !== null) tools.append(this.link);
    tools.append(this.soloButton);
    this.root = element("div", { class: "unit" }, label, lines, tools);
    this.root.addEventListener("pointerenter", () => events.attended(info));
    this.setLinked(true);
    this.show(0, 0);
  }

  show(left: number, right: number): void {
    const shown = `${left} ${right}`;
    if (shown === this.shown) return;
    this.shown = shown;
    showHalf(this.first, this.isLinked ? (left + right) / 2 : left);
    if (this.second !== null) showHalf(this.second, right);
    this.root.classList.toggle("active", Math.max(left, right) >= VISIBLE);
  }

  setLinked(linked: boolean): void {
    if (this.second === null) return;
    if (linked === this.isLinked && this.shown !== "") return;
    this.isLinked = linked;
    this.shown = "";
    this.second.line.hidden = linked;
    this.root.classList.toggle("unlinked", !linked);
    this.first.slider.setAttribute("aria-label", `${this.info.name} ${this.info.facs_name}${linked ? "" : ", left"}`);
    this.second.slider.setAttribute("aria-label", `${this.info.name} ${this.info.facs_name}, right`);
    this.link?.setAttribute("aria-pressed", String(!linked));
    this.link?.setAttribute("aria-label", `Separate sides of ${this.info.name}`);
    if (this.link !== null) this.link.title = linked ? "Move left and right separately (L)" : "Link both sides (L)";
  }

  setSolo(solo: boolean): void {
    this.soloButton.setAttribute("aria-pressed", String(solo));
  }

  setLargest(largest: number): void {
    for (const half of [this.first, this.second]) {
      if (half === null) continue;
      half.slider.max = String(largest);
      half.line.style.setProperty("--largest", String(largest));
      setRange(half.slider, Number(half.slider.value));
    }
    this.shown = "";
  }

  matches(words: readonly string[]): boolean {
    const text = `${this.info.name} ${this.info.facs_name} ${this.info.muscle}`.toLowerCase();
    return words.every((word) => text.includes(word));
  }

  private half(id: string, side: () => Side): Half {
    const slider = range({ id, min: 0, max: 1, step: 0.01, value: 0 });
    slider.setAttribute("aria-label", `${this.info.name} ${this.info.facs_name}`);
    const value = element("span", { class: "value", "aria-hidden": "true" });
    const ticks = element("div", { class: "ticks", "aria-hidden": "true" });
    const line = element("div", { class: "line" }, element("div", { class: "slider" }, slider, ticks), value);
    const zero = (): void => {
      this.events.changed(this.index, side(), 0);
      this.events.settled();
    };
    slider.addEventListener("input", () => this.events.changed(this.index, side(), Number(slider.value)));
    slider.addEventListener("change", () => this.events.settled());
    slider.addEventListener("dblclick", zero);
    slider.addEventListener("focus", () => this.events.attended(this.info));
    slider.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const letter = "12345".indexOf(event.key);
      if (event.key === "Delete" || event.key === "Backspace" || event.key === "0") zero();
      else if (letter >= 0) {
        this.events.changed(this.index, side(), (letter + 1) / 5);
        this.events.settled();
      } else if (event.key === "l") this.link?.click();
      else if (event.key === "s") this.soloButton.click();
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    return { line, slider, value };
  }
}

function showHalf({ slider, value }: Half, weight: number): void {
  setRange(slider, weight);
  slider.setAttribute("aria-valuetext", spokenIntensity(weight));
  value.replaceChildren(twoDigits(weight), element("b", {}, letterOf(weight)));
}
