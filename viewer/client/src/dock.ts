// What stands beside the head and on it: the list of heads, FACET-VLM's reading, landmarks, regions, a second head.

import type { App } from "./app";
import { Compare } from "./compare";
import { button, element } from "./elements";
import { headMap, REGION_COLORS, regionColors, REGION_SETS, type RegionSet } from "./head_map";
import { HeadsPanel } from "./heads_panel";
import { LandmarkLayer } from "./landmark_layer";
import type { HeadMap } from "./messages";
import { OpeningsPanel } from "./openings_panel";
import { ReadingPanel } from "./reading_panel";
import type { View } from "./surface";

type Panel = HeadsPanel | OpeningsPanel | ReadingPanel;

export class Dock {
  /** The stage with the dock at its side. */
  readonly around: HTMLElement;
  readonly toggles: HTMLElement;
  /** What the colours of the regions mean, and which of them are shown. */
  readonly regions: HTMLElement;
  private readonly heads: HeadsPanel;
  private readonly reading: ReadingPanel;
  private readonly compare: Compare;
  private readonly landmarks: HTMLButtonElement;
  private readonly set = element("select", { "aria-label": "Which regions" });
  private readonly colors = element("div", { class: "swatches" });
  private layer: LandmarkLayer | null = null;
  private map: Promise<HeadMap | null> | null = null;
  private view: View = "shaded";

  constructor(
    private readonly app: App,
    private readonly stageView: HTMLElement,
  ) {
    this.compare = new Compare(app.stage);
    this.heads = new HeadsPanel(app, this.compare, () => this.view === "regions" && void this.colorRegions());
    this.reading = new ReadingPanel(app);
    const dock = element("aside", { class: "dock", "aria-label": "Beside the head", hidden: true });
    const openings = new OpeningsPanel(app);
    dock.append(openings.root, this.heads.root, this.reading.root);
    this.around = element("div", { class: "middle" }, dock, stageView);
    const panels: [HTMLButtonElement, Panel][] = [];
    const toggle = (label: string, title: string, panel: Panel): HTMLButtonElement => {
      const made = button(label, { title, "aria-pressed": "false" }, () => {
        const chosen = panel.root.hidden ? panel : null;
        dock.hidden = chosen === null;
        for (const [each, other] of panels) {
          other.shown = other === chosen;
          each.setAttribute("aria-pressed", String(other === chosen));
        }
      });
      panels.push([made, panel]);
      return made;
    };
    this.landmarks = button(
      "Landmarks",
      { title: "Show the 68 landmarks", "aria-pressed": "false" },
      () => void this.toggleLandmarks(),
    );
    this.toggles = element(
      "div",
      { class: "cluster" },
      this.landmarks,
      toggle("Heads", "Identities, styles, and two heads side by side", this.heads),
      toggle("Reading", "What FACET-VLM reads in the face", this.reading),
    );
    if (app.metadata.openings.length > 1 && app.source.served) {
      const dataSet = toggle("Data set", "Records that mesh4d-viewer was started with", openings);
      this.toggles.append(dataSet);
      dataSet.click();
    }
    for (const [name, { label }] of Object.entries(REGION_SETS)) {
      this.set.append(element("option", { value: name }, label));
    }
    this.set.addEventListener("change", () => void this.colorRegions());
    this.regions = element("div", { class: "legend regions", hidden: true }, this.set, this.colors);
    stageView.append(this.compare.captions, this.regions);
  }

  /** The first head moved. */
  posed(): void {
    this.compare.pose(this.app.pose);
    this.layer?.follow(this.app.head.positionsAt(this.app.pose));
    this.reading.posed();
  }

  /** Another way of seeing the head was chosen. */
  viewed(view: View): void {
    this.view = view;
    this.regions.hidden = view !== "regions";
    if (view === "regions") void this.colorRegions();
  }

  /** Another head stands in the first place. */
  headReplaced(): void {
    this.map = null;
    this.compare.rename(this.app.source.metadata.title);
    if (this.layer !== null) {
      this.layer.dispose();
      this.layer = null;
      void this.showLandmarks();
    }
    if (this.view === "regions") void this.colorRegions();
  }

  dispose(): void {
    this.reading.stop();
    this.layer?.dispose();
  }

  private async toggleLandmarks(): Promise<void> {
    if (this.layer === null) return this.showLandmarks();
    this.layer.dispose();
    this.layer = null;
    this.landmarks.setAttribute("aria-pressed", "false");
  }

  private async showLandmarks(): Promise<void> {
    const { head } = this.app;
    const map = await this.known("landmarks");
    if (map === null || head !== this.app.head || this.layer !== null) return;
    this.layer = new LandmarkLayer(head, this.app.stage, map);
    this.stageView.append(this.layer.label);
    this.landmarks.setAttribute("aria-pressed", "true");
    this.posed();
    this.app.stage.draw();
  }

  private async colorRegions(): Promise<void> {
    const { head } = this.app;
    const set = this.set.value as RegionSet;
    this.colors.replaceChildren(
      ...REGION_SETS[set].names.map((name) => {
        const color = element("i", { "aria-hidden": "true" });
        color.style.background = REGION_COLORS[name];
        return element("span", {}, color, name);
      }),
    );
    const map = await this.known("regions");
    if (map === null || head !== this.app.head) return;
    head.drawn.setRegionColors(regionColors(head, map, set));
    this.app.stage.draw();
    const { head: second, source } = this.compare;
    if (second === null || source === null || source.head === "") return;
    const other = await headMap(source).catch(() => null);
    if (other === null || second !== this.compare.head) return;
    second.drawn.setRegionColors(regionColors(second, other, set));
    this.app.stage.draw();
  }

  private async known(what: string): Promise<HeadMap | null> {
    this.map ??= headMap(this.app.source);
    try {
      const map = await this.map;
      if (map === null) this.app.say(`This page does not know this head's ${what}; mesh4d-viewer finds them.`, true);
      return map;
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      this.map = null;
      this.app.say(`No ${what}: ${error.message}`, true);
      return null;
    }
  }
}
