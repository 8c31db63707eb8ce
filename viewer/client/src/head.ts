// A head on the stage: its file, its rig, its blend, and where it is drawn. Several move by one pose.

import { SparseBlend } from "./blend";
import type { DrawnHead } from "./drawn_head";
import { Glb } from "./glb";
import { lookOf } from "./materials";
import { VertexNormals } from "./normals";
import type { Pose } from "./pose";
import { readRig, type Rig } from "./rig";
import type { Stage } from "./stage";

export class Head {
  readonly file: Glb;
  readonly rig: Rig;
  readonly blend: SparseBlend;
  readonly normals: VertexNormals;
  readonly drawn: DrawnHead;
  /** The pose that `blend` holds; the GPU's may be ahead of it. */
  private blended: Pose | null = null;
  private onGpu = false;

  constructor(
    readonly glb: ArrayBuffer,
    private readonly stage: Stage,
    place: 0 | 1 = 0,
  ) {
    this.file = new Glb(glb);
    this.rig = readRig(glb);
    const { rig } = this;
    this.blend = new SparseBlend(rig.positions, rig.face);
    this.normals = new VertexNormals(rig.positions, rig.indices, this.blend.moved, rig.normals);
    const look = lookOf(rig, () => stage.draw());
    const { positions } = this.blend;
    const { indices, face } = rig;
    this.drawn = stage.show({ positions, normals: this.normals.normals, indices, axes: face.axes, ...look }, place);
  }

  get names(): readonly string[] {
    return this.rig.face.names;
  }

  /** Blends on the graphics card, or not; whether it does. */
  setGpu(on: boolean): boolean {
    const { positions, indices, face } = this.rig;
    const works = this.drawn.blendOnGpu(on ? { positions, indices, face, owners: this.normals.owners } : null);
    this.onGpu = on && works;
    return works;
  }

  show(pose: Pose): void {
    if (this.onGpu) this.drawn.poseOnGpu(pose);
    else {
      this.apply(pose);
      this.normals.update(this.blend.positions);
      this.drawn.moved();
    }
    this.stage.draw();
  }

  /** The surface under a pose, in metres, whichever way it is drawn. */
  positionsAt(pose: Pose): Float32Array {
    this.apply(pose);
    return this.blend.positions;
  }

  private apply(pose: Pose): void {
    if (this.blended !== null && this.blended.every((weight, at) => weight === pose[at])) return;
    this.blend.apply(pose);
    this.blended = pose.slice();
  }
}
