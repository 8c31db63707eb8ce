// The units of the layer at hand beside their curves: which are drawn, which one is in front, and which are locked.

import { CURVE_COLORS } from "./curve_canvas";
import { button, element } from "./elements";
import { icon } from "./icons";
import type { Layer } from "./layers";

/** So many curves are drawn unasked. */
const FIRST_SHOWN = 6;

export interface CurveListEvents {
  /** What is drawn, or in front, changed. */
  changed(): void;
  locked(unit: string, locked: boolean): void;
}

export class CurveList {
  readonly root = element("div", { class: "curve-list", role: "group", "aria-label": "Curves" });
  /** The unit in front: new keys and pasted ones go there. */
  focused: string | null = null;
  private readonly hidden = new Set<string>();
  private readonly known = new Set<string>();
  private layer: Layer | null = null;

  constructor(private readonly events: CurveListEvents) {}

  show(layer: Layer): void {
    if (this.layer?.tracks === layer.tracks && this.layer.lockedUnits === layer.lockedUnits) return;
    if (this.layer?.name !== layer.name) {
      this.known.clear();
      this.hidden.clear();
    }
    const units = [...layer.tracks.keys()];
    const fresh = units.filter((unit) => !this.known.has(unit));
    const free = FIRST_SHOWN - units.filter((unit) => this.known.has(unit) && !this.hidden.has(unit)).length;
    const strong = [...fresh].sort((one, other) => reach(layer, other) - reach(layer, one)).slice(0, Math.max(free, 0));
    for (const unit of fresh) {
      this.known.add(unit);
      if (!strong.includes(unit)) this.hidden.add(unit);
    }
    const same =
      this.layer !== null &&
      this.layer.name === layer.name &&
      this.layer.lockedUnits === layer.lockedUnits &&
      units.join() === [...this.layer.tracks.keys()].join();
    this.layer = layer;
    if (this.focused === null || !layer.tracks.has(this.focused)) this.focused = this.shown()[0] ?? null;
    if (!same) this.rebuild();
  }

  /** Units whose curves are drawn, the one in front last. */
  shown(): readonly string[] {
    const units = [...(this.layer?.tracks.keys() ?? [])].filter((unit) => !this.hidden.has(unit));
    return units.sort((one, other) => Number(one === this.focused) - Number(other === this.focused));
  }

  colorOf(unit: string): number {
    return ([...(this.layer?.tracks.keys() ?? [])].indexOf(unit) % CURVE_COLORS) + 1;
  }

  focus(unit: string): void {
    this.focused = unit;
    this.hidden.delete(unit);
    this.rebuild();
  }

  private rebuild(): void {
    const layer = this.layer;
    if (layer === null) return;
    const active = document.activeElement;
    const again =
      active instanceof HTMLElement && this.root.contains(active) ? active.getAttribute("aria-label") : null;
    const units = [...layer.tracks.keys()];
    this.root.replaceChildren(...units.map((unit) => this.row(unit, layer)));
    if (again !== null) this.root.querySelector<HTMLElement>(`[aria-label="${CSS.escape(again)}"]`)?.focus();
  }

  private row(unit: string, layer: Layer): HTMLElement {
    const drawn = element("input", {
      type: "checkbox",
      "aria-label": `Draw ${unit}`,
      title: "Draw this curve; with Alt: this one alone",
    });
    drawn.checked = !this.hidden.has(unit);
    drawn.style.accentColor = `var(--curve-${this.colorOf(unit)})`;
    drawn.addEventListener("click", (event) => {
      if (event.altKey) {
        for (const each of layer.tracks.keys()) this.hidden.add(each);
        this.hidden.delete(unit);
        this.focused = unit;
      } else if (drawn.checked) this.hidden.delete(unit);
      else this.hidden.add(unit);
      if (this.focused === unit && this.hidden.has(unit)) this.focused = this.shown().at(-1) ?? null;
      this.rebuild();
      this.events.changed();
    });
    const name = button(
      unit,
      {
        class: "curve-name",
        "aria-label": `Bring ${unit} to the front`,
        "aria-pressed": String(unit === this.focused),
      },
      () => {
        this.focus(unit);
        this.events.changed();
      },
    );
    const locked = layer.lockedUnits.has(unit);
    const lock = button(
      "",
      {
        class: "small",
        "aria-pressed": String(locked),
        "aria-label": `Lock ${unit}`,
        title: locked ? "Locked" : "Lock this curve",
      },
      () => this.events.locked(unit, !locked),
    );
    lock.append(icon(locked ? "lock" : "unlock"));
    return element("div", { class: `curve-row${unit === this.focused ? " focused" : ""}` }, drawn, name, lock);
  }
}

/** The largest weight of a unit's keys. */
function reach(layer: Layer, unit: string): number {
  return (layer.tracks.get(unit) ?? []).reduce(
    (most, { left, right }) => Math.max(most, Math.abs(left), Math.abs(right)),
    0,
  );
}
