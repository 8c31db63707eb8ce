// The row above the head: undo, files, and how the head is seen.

import { button, element } from "./elements";
import { menu, type MenuItem } from "./menu";
import { HEAT_COLORS, VIEWS, type View } from "./surface";

export interface ToolbarEvents {
  undo(): void;
  redo(): void;
  opened(files: readonly File[]): void;
  viewed(view: View, hottest: number): void;
  gpu(on: boolean): void;
  front(): void;
}

const VIEW_NAMES: Record<View, string> = {
  shaded: "Shaded",
  wireframe: "Wireframe",
  normals: "Normals",
  displacement: "Displacement",
  regions: "Regions",
};
const HOTTEST_MM = [2, 5, 10, 20, 40];

export class Toolbar {
  readonly root: HTMLElement;
  readonly legend = element("div", { class: "legend", hidden: true });
  private readonly undo: HTMLButtonElement;
  private readonly redo: HTMLButtonElement;
  private readonly note = element("p", { class: "note", role: "status" });
  private readonly view = element("select", { "aria-label": "View" });
  private readonly hottest = element("select", { "aria-label": "End of the colours, millimetres" });
  private readonly gpu = element("input", { type: "checkbox" });

  /** @param heads whether a server is there, to which head and sequence files can be sent. */
  constructor(
    private readonly events: ToolbarEvents,
    exports: readonly MenuItem[],
    heads: boolean,
  ) {
    this.undo = button("Undo", { title: "Undo (Ctrl Z)", disabled: true }, () => events.undo());
    this.redo = button("Redo", { title: "Redo (Ctrl Shift Z)", disabled: true }, () => events.redo());
    const file = element("input", { type: "file", hidden: true, multiple: true, tabindex: -1, "aria-hidden": "true" });
    if (!heads) file.accept = ".json,.csv,.glb,audio/*";
    file.addEventListener("change", () => {
      const chosen = [...(file.files ?? [])];
      file.value = "";
      if (chosen.length > 0) events.opened(chosen);
    });
    const more = heads ? ", a head (any mesh), or a sequence (.glb, .npz, .pc2, .zip, frames)" : ", a rig (.glb)";
    const title = `Open a project (.json), curves: ours or Live Link Face's (.csv)${more}`;
    const open = button("Open", { title }, () => file.click());
    const front = button("Front", { title: "Face the front" }, () => events.front());
    for (const view of VIEWS) this.view.append(element("option", { value: view }, VIEW_NAMES[view]));
    for (const most of HOTTEST_MM) {
      this.hottest.append(element("option", { value: most, selected: most === 10 }, `${most} mm`));
    }
    this.view.addEventListener("change", () => this.showView());
    this.hottest.addEventListener("change", () => this.showView());
    this.gpu.addEventListener("change", () => events.gpu(this.gpu.checked));
    const blend = element("label", { class: "check", title: "Blend on the graphics card" }, this.gpu, "GPU");
    const bar = element(
      "div",
      { class: "toolbar", role: "toolbar", "aria-label": "Project and view" },
      element("div", { class: "cluster" }, this.undo, this.redo),
      element("div", { class: "cluster" }, open, menu("Export", exports), file),
      element("div", { class: "cluster" }, front, this.view, this.hottest, blend),
    );
    this.root = element("div", { class: "top" }, bar, this.note);
    const colors = element("div", { class: "colors" });
    colors.style.background = `linear-gradient(to right, ${HEAT_COLORS.join(", ")})`;
    this.legend.append(colors, element("div", { class: "scale" }));
    this.showView();
  }

  show(canUndo: boolean, canRedo: boolean): void {
    this.undo.disabled = !canUndo;
    this.redo.disabled = !canRedo;
  }

  showGpu(on: boolean): void {
    this.gpu.checked = on;
  }

  /** Tells the reader something; `wrong` stays until the next message. */
  say(message: string, wrong = false): void {
    this.note.textContent = message;
    this.note.classList.toggle("wrong", wrong);
    this.note.setAttribute("role", wrong ? "alert" : "status");
  }

  /** How the head is seen, and the millimetres at the end of the heat map. */
  get seen(): [View, number] {
    return [VIEWS.find((each) => each === this.view.value) ?? "shaded", Number(this.hottest.value)];
  }

  private showView(): void {
    const [view, hottest] = this.seen;
    this.hottest.hidden = this.legend.hidden = view !== "displacement";
    this.legend.lastElementChild?.replaceChildren(
      element("span", {}, "0"),
      element("span", {}, `${hottest / 2}`),
      element("span", {}, `${hottest} mm`),
    );
    this.events.viewed(view, hottest);
  }
}
