// The layers of the animation in a row: which one is edited, mute, solo, lock, weight.

import type { Animator } from "./animator";
import { button, element, range, setRange } from "./elements";
import { icon } from "./icons";
import { OWN_LAYERS, type Layer } from "./layers";
import type { Project } from "./project";

const MOST_WEIGHT = 1.5;
const PURPOSES: Readonly<Record<string, string>> = {
  base: "imported animation",
  speech: "what speech makes; a new run replaces it",
  emotion: "what emotion adds to speech; a new run replaces it",
  hand: "your own keys; nothing replaces them",
};

interface Chip {
  readonly root: HTMLElement;
  readonly name: HTMLButtonElement;
  readonly count: HTMLElement;
  readonly mute: HTMLButtonElement;
  readonly solo: HTMLButtonElement;
  readonly lock: HTMLButtonElement;
  readonly weight: HTMLInputElement;
}

export class LayerStrip {
  readonly root = element("div", { class: "layers", role: "group", "aria-label": "Layers" });
  private readonly chips = new Map<string, Chip>();
  private readonly remove: HTMLButtonElement;
  private shown: readonly string[] = [];

  constructor(private readonly animator: Animator) {
    const add = button("", { class: "small", "aria-label": "Add a layer", title: "Add a layer" }, () => {
      animator.addLayer();
      this.chips.get(animator.active)?.name.focus();
    });
    add.append(icon("add"));
    this.remove = button("", { class: "small" }, () => animator.removeLayer(animator.active));
    this.remove.append(icon("remove"));
    this.root.append(element("div", { class: "layer-tools" }, add, this.remove));
  }

  show(project: Project): void {
    const names = project.layers.map(({ name }) => name);
    if (names.join("\n") !== this.shown.join("\n")) this.rebuild(project.layers);
    for (const layer of project.layers) this.showLayer(layer);
    const own = OWN_LAYERS.includes(this.animator.active);
    const label = own ? `Clear the layer ${this.animator.active}` : `Remove the layer ${this.animator.active}`;
    this.remove.setAttribute("aria-label", label);
    this.remove.title = label;
    this.remove.disabled =
      own && (project.layers.find(({ name }) => name === this.animator.active)?.tracks.size ?? 0) === 0;
  }

  private rebuild(layers: readonly Layer[]): void {
    this.shown = layers.map(({ name }) => name);
    this.chips.clear();
    for (const layer of layers) this.chips.set(layer.name, this.chip(layer.name));
    const tools = this.root.lastElementChild!;
    this.root.replaceChildren(...[...this.chips.values()].map(({ root }) => root), tools);
  }

  private chip(name: string): Chip {
    const { animator } = this;
    const count = element("span", { class: "count" });
    const toggle = (label: string, text: string, change: (layer: Layer) => Partial<Layer>): HTMLButtonElement => {
      const made = button(text, { class: "small", "aria-pressed": "false", title: label }, () => {
        const layer = animator.project.layers.find((each) => each.name === name);
        if (layer !== undefined) animator.set(name, change(layer));
      });
      made.setAttribute("aria-label", `${label} ${name}`);
      return made;
    };
    const choose = button("", { class: "layer-name", "aria-pressed": "false" }, () => animator.choose(name));
    choose.append(element("span", {}, name), count);
    const own = OWN_LAYERS.includes(name);
    choose.title = own ? `Edit ${name}: ${PURPOSES[name]}` : `Edit ${name}. Double click or F2: rename`;
    const rename = (): void => this.rename(name, choose);
    if (!own) {
      choose.addEventListener("dblclick", rename);
      choose.addEventListener("keydown", (event) => event.key === "F2" && rename());
    }
    const weight = range({ min: 0, max: MOST_WEIGHT, step: 0.01, "aria-label": `Weight of ${name}` });
    weight.addEventListener("input", () => animator.set(name, { weight: Number(weight.value) }, `weight ${name}`));
    weight.addEventListener("change", () => animator.settle());
    weight.addEventListener("dblclick", () => animator.set(name, { weight: 1 }));
    const mute = toggle("Mute", "M", (layer) => ({ muted: !layer.muted }));
    const solo = toggle("Solo", "S", (layer) => ({ solo: !layer.solo }));
    const lock = toggle("Lock", "", (layer) => ({ locked: !layer.locked }));
    const root = element("div", { class: "layer", role: "group", "aria-label": `Layer ${name}` });
    root.append(choose, mute, solo, lock, weight);
    return { root, name: choose, count, mute, solo, lock, weight };
  }

  private showLayer(layer: Layer): void {
    const chip = this.chips.get(layer.name);
    if (chip === undefined) return;
    const active = this.animator.active === layer.name;
    const keys = [...layer.tracks.values()].reduce((sum, track) => sum + track.length, 0);
    chip.root.classList.toggle("active", active);
    chip.root.classList.toggle("muted", layer.muted);
    chip.name.setAttribute("aria-pressed", String(active));
    chip.count.textContent = keys === 0 ? "" : keys.toLocaleString("en");
    chip.mute.setAttribute("aria-pressed", String(layer.muted));
    chip.solo.setAttribute("aria-pressed", String(layer.solo));
    if (chip.lock.getAttribute("aria-pressed") !== String(layer.locked) || chip.lock.childElementCount === 0) {
      chip.lock.setAttribute("aria-pressed", String(layer.locked));
      chip.lock.replaceChildren(icon(layer.locked ? "lock" : "unlock"));
    }
    setRange(chip.weight, layer.weight);
    chip.weight.title = `Weight ${layer.weight.toFixed(2)}; double click: 1`;
  }

  private rename(name: string, before: HTMLElement): void {
    const input = element("input", {
      type: "text",
      class: "layer-rename",
      value: name,
      maxlength: 24,
      "aria-label": "Name of the layer",
    });
    const end = (take: boolean): void => {
      if (!input.isConnected) return;
      input.replaceWith(before);
      if (take) this.animator.renameLayer(name, input.value);
    };
    input.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === "Escape") end(event.key === "Enter");
    });
    input.addEventListener("blur", () => end(true));
    before.replaceWith(input);
    input.select();
  }
}
