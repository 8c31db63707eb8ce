// Binds rig, blend, stage, panel and timeline: the weights are the one state.

import { SparseBlend } from "./blend";
import { element } from "./elements";
import { lookOf } from "./materials";
import { VertexNormals } from "./normals";
import { Panel } from "./panel";
import { readRig, type Target } from "./rig";
import { sidedTarget } from "./sides";
import type { Source } from "./source";
import { Stage } from "./stage";
import { Timeline } from "./timeline";

export class App {
  readonly weights: Float32Array;
  readonly blend: SparseBlend;
  readonly timeline: Timeline | null;
  private readonly names: readonly string[];
  private readonly normals: VertexNormals;
  private readonly stage: Stage;
  private readonly panel: Panel;

  constructor(host: HTMLElement, source: Source) {
    const rig = readRig(source.glb);
    const targets = [...rig.targets, ...presetSides(source, rig.targets, rig.positions)];
    this.names = targets.map((target) => target.name);
    this.weights = new Float32Array(targets.length);
    this.blend = new SparseBlend(rig.positions, targets);
    this.normals = new VertexNormals(rig.positions, rig.indices, this.blend.moved, rig.normals);
    this.panel = new Panel(source.metadata, this.names, rig.targets.length, {
      weightChanged: (index, weight) => {
        this.panel.forgetEmotion();
        this.timeline?.pause();
        this.weights[index] = weight;
        this.show();
      },
      emotionChosen: (emotion, intensity) => {
        this.timeline?.pause();
        this.setWeights(emotion.units, intensity);
      },
      reset: () => {
        this.panel.forgetEmotion();
        this.timeline?.pause();
        this.setWeights({}, 0);
      },
    });
    const { clip } = rig;
    this.timeline =
      clip &&
      new Timeline(clip.duration, (time) => {
        this.panel.forgetEmotion();
        this.weights.fill(0);
        clip.sample(time, this.weights);
        this.show();
      });
    const view = element("main", { class: "stage", "aria-label": "Head" });
    const column = element("div", { class: "column" }, view);
    if (this.timeline !== null) column.append(this.timeline.root);
    host.replaceChildren(column, this.panel.root);
    this.stage = new Stage(view);
    const look = lookOf(rig, () => this.stage.draw());
    this.stage.show({ positions: this.blend.positions, normals: this.normals.normals, indices: rig.indices, ...look });
    this.setWeights(source.metadata.weights, 1);
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (source.metadata.autoplay && !still) this.timeline?.start();
  }

  /** Sets all weights by target name, times a factor; targets without a weight go to zero. */
  setWeights(weights: Readonly<Record<string, number>>, factor: number): void {
    this.names.forEach((name, index) => (this.weights[index] = (weights[name] ?? 0) * factor));
    this.show();
  }

  private show(): void {
    this.blend.apply(this.weights);
    this.normals.update(this.blend.positions);
    this.stage.surfaceMoved();
    this.panel.show(this.weights);
  }
}

/** One-sided forms of the rig's units that presets or opening weights ask for. */
function presetSides(source: Source, targets: readonly Target[], positions: Float32Array): Target[] {
  const asked = [source.metadata.weights, ...source.metadata.emotions.map((emotion) => emotion.units)].flatMap(
    Object.keys,
  );
  const missing = [...new Set(asked)].filter((name) => targets.every((target) => target.name !== name));
  return missing.flatMap((name) => sidedTarget(name, targets, positions) ?? []);
}
