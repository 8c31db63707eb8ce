// The row above the head: undo, files, and how the head is seen.

import { button, element } from "./elements";
import { HEAT_COLORS, VIEWS, type View } from "./surface";

export interface ToolbarEvents {
  undo(): void;
  redo(): void;
  opened(file: File): void;
  save(): void;
  exportCurves(): void;
  exportPicture(): void;
  viewed(view: View, hottest: number): void;
  gpu(on: boolean): void;
  front(): void;
}

const VIEW_NAMES: Record<View, string> = {
  shaded: "Shaded",
  wireframe: "Wireframe",
  normals: "Normals",
  displacement: "Displacement",
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

  /** @param heads whether head files can be opened, too. */
  constructor(
    private readonly events: ToolbarEvents,
    heads: boolean,
  ) {
    this.undo = button("Undo", { title: "Undo (Ctrl Z)", disabled: true }, () => events.undo());
    this.redo = button("Redo", { title: "Redo (Ctrl Shift Z)", disabled: true }, () => events.redo());
    const file = element("input", { type: "file", hidden: true, tabindex: -1, "aria-hidden": "true" });
    if (!heads) file.accept = ".json,.csv";
    file.addEventListener("change", () => {
      const chosen = file.files?.[0];
      file.value = "";
      if (chosen !== undefined) events.opened(chosen);
    });
    const title = `Open a project (.json), curves: ours or Live Link Face's (.csv)${heads ? ", or a head (any mesh)" : ""}`;
    const open = button("Open", { title }, () => file.click());
    const save = button("Save", { title: "Save the project as a file" }, () => events.save());
    const curves = button("CSV", { title: "Export the animation as curves" }, () => events.exportCurves());
    const picture = button("PNG", { title: "Export the view as a picture" }, () => events.exportPicture());
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
      element("div", { class: "cluster" }, open, save, curves, picture, file),
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

  private showView(): void {
    const view = VIEWS.find((each) => each === this.view.value) ?? "shaded";
    const hottest = Number(this.hottest.value);
    this.hottest.hidden = this.legend.hidden = view !== "displacement";
    this.legend.lastElementChild?.replaceChildren(
      element("span", {}, "0"),
      element("span", {}, `${hottest / 2}`),
      element("span", {}, `${hottest} mm`),
    );
    this.events.viewed(view, hottest);
  }
}

/** Hands a file to the reader's downloads. */
export function download(content: Blob | string, name: string): void {
  const blob = typeof content === "string" ? new Blob([content], { type: "text/plain" }) : content;
  const link = element("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
