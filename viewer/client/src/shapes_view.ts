// ARKit's 52 shapes of the present pose, to read: what a Live Link stream of this face would say.

import { arkitFromPose } from "./arkit";
import { element } from "./elements";
import { twoDigits } from "./intensity";
import type { ViewerMetadata } from "./messages";
import type { Pose } from "./pose";

export class ShapesView {
  readonly root: HTMLDetailsElement;
  private readonly cells = new Map<string, { row: HTMLElement; value: HTMLElement }>();
  private pose: Pose | null = null;

  constructor(
    private readonly metadata: ViewerMetadata,
    private readonly units: readonly string[],
  ) {
    const list = element("dl", { class: "shapes" });
    for (const name of metadata.arkit_shapes) {
      const value = element("dd", {}, "0.00");
      const row = element("div", {}, element("dt", {}, name), value);
      this.cells.set(name, { row, value });
      list.append(row);
    }
    this.root = element(
      "details",
      { class: "arkit" },
      element("summary", {}, "As ARKit's 52 shapes"),
      element("p", {}, "Approximate: units and shapes do not match one to one."),
      list,
    );
    this.root.addEventListener("toggle", () => this.refresh());
  }

  show(pose: Pose): void {
    this.pose = pose;
    this.refresh();
  }

  private refresh(): void {
    if (!this.root.open || this.pose === null) return;
    for (const [name, weight] of arkitFromPose(this.metadata, this.units, this.pose)) {
      const cell = this.cells.get(name);
      if (cell === undefined) continue;
      cell.value.textContent = twoDigits(weight);
      cell.row.style.setProperty("--fill", weight.toFixed(3));
    }
  }
}
