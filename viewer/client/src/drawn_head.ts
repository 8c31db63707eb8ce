// One head as the renderer draws it: geometry, materials of every way to see it, and the blend on the graphics card.

import {
  Box3,
  BufferAttribute,
  BufferGeometry,
  Matrix4,
  Mesh,
  Vector3,
  type Material as ThreeMaterial,
  type WebGLRenderer,
} from "three";
import type { Face } from "./face";
import { GpuBlend } from "./gpu_blend";
import type { Pose } from "./pose";
import { readsPose, shadowMaterial, surfaceUniforms, viewMaterial, type View } from "./surface";

/** Linear grey of a head whose regions nobody knows. */
const UNKNOWN = 0.2;

export interface Surface {
  /** `positions` and `normals` may be changed in place later, followed by `moved`. */
  readonly positions: Float32Array;
  readonly normals: Float32Array;
  readonly indices: Uint32Array;
  readonly attributes: Record<string, BufferAttribute>;
  readonly groups: readonly { start: number; count: number; material: number }[];
  readonly materials: ThreeMaterial[];
  /** The face's left, up and front; the head is drawn upright and facing us. */
  readonly axes: Face["axes"];
}

export interface GpuRig {
  readonly positions: Float32Array;
  readonly indices: Uint32Array;
  readonly face: Face;
  readonly owners: Uint32Array;
}

export class DrawnHead {
  readonly mesh: Mesh;
  readonly box = new Box3();
  readonly center = new Vector3();
  readonly radius: number;
  private readonly geometry = new BufferGeometry();
  private readonly uniforms = surfaceUniforms();
  private readonly shaded: ThreeMaterial[];
  private view: ThreeMaterial | null = null;
  private gpu: GpuBlend | null = null;

  constructor(
    private readonly renderer: WebGLRenderer,
    surface: Surface,
  ) {
    const { geometry } = this;
    geometry.setAttribute("position", new BufferAttribute(surface.positions, 3));
    geometry.setAttribute("normal", new BufferAttribute(surface.normals, 3));
    for (const [name, attribute] of Object.entries(surface.attributes)) geometry.setAttribute(name, attribute);
    geometry.setAttribute("rest", new BufferAttribute(surface.positions.slice(), 3));
    geometry.setIndex(new BufferAttribute(surface.indices, 1));
    for (const group of surface.groups) geometry.addGroup(group.start, group.count, group.material);
    this.shaded = surface.materials.map((material) =>
      readsPose(material, this.uniforms, String(material.userData["look"] ?? "plain")),
    );
    this.mesh = new Mesh(geometry, this.shaded);
    this.mesh.customDepthMaterial = shadowMaterial(this.uniforms);
    this.mesh.castShadow = this.mesh.receiveShadow = true;
    this.mesh.frustumCulled = false;
    if (surface.axes !== null) {
      const [left, up, front] = surface.axes.map((axis) => new Vector3(...axis));
      this.mesh.quaternion.setFromRotationMatrix(new Matrix4().makeBasis(left, up, front).transpose());
    }
    this.measure();
    this.radius = Math.max(this.box.getSize(new Vector3()).length() / 2, 1e-6);
  }

  /** Stands where another head stands, and as large as that if it is of another order of size. */
  standAt(other: DrawnHead): void {
    const ratio = other.radius / this.radius;
    if (ratio < 0.5 || ratio > 2) this.mesh.scale.setScalar(ratio);
    this.measure();
    this.mesh.position.add(other.center).sub(this.center);
    this.measure();
  }

  /** Starts to blend on the GPU; null ends it. False where the GPU cannot. */
  blendOnGpu(rig: GpuRig | null): boolean {
    if (rig !== null && !GpuBlend.supports(this.renderer, rig.face, rig.positions.length / 3)) return false;
    if (rig !== null) {
      this.gpu ??= new GpuBlend(this.renderer, rig.positions, rig.indices, rig.face, rig.owners);
      this.uniforms.facePositions.value = this.gpu.positions;
      this.uniforms.faceNormals.value = this.gpu.normals;
    }
    this.uniforms.onGpu.value = rig === null ? 0 : 1;
    return true;
  }

  poseOnGpu(pose: Pose): void {
    this.gpu?.apply(pose);
  }

  /** What the GPU's textures hold, for checks. */
  readGpu(what: "positions" | "normals"): Float32Array | null {
    return this.gpu?.read(what, this.geometry.attributes["position"].count) ?? null;
  }

  /** Positions and normals changed. */
  moved(): void {
    this.geometry.attributes["position"].needsUpdate = true;
    this.geometry.attributes["normal"].needsUpdate = true;
  }

  /** Linear RGB a vertex, for the view of regions. */
  setRegionColors(colors: Float32Array): void {
    this.geometry.setAttribute("region", new BufferAttribute(colors, 3));
  }

  /** @param hottest millimetres at the end of the heat map. */
  setView(view: View, hottest: number, dark: boolean): void {
    this.uniforms.hottest.value = hottest / 1000;
    this.view?.dispose();
    const { geometry } = this;
    if (view === "regions" && !geometry.hasAttribute("region")) {
      this.setRegionColors(new Float32Array(3 * geometry.attributes["position"].count).fill(UNKNOWN));
    }
    const single = view === "shaded" ? null : viewMaterial(view, this.uniforms, dark);
    this.view = single;
    this.mesh.material = single === null ? this.shaded : this.shaded.map(() => single);
    this.mesh.castShadow = this.mesh.receiveShadow = single === null;
  }

  dispose(): void {
    this.mesh.removeFromParent();
    this.geometry.dispose();
    this.gpu?.dispose();
    for (const material of [...this.shaded, ...(this.view === null ? [] : [this.view])]) material.dispose();
  }

  private measure(): void {
    this.mesh.updateMatrixWorld();
    this.box.setFromObject(this.mesh, true).getCenter(this.center);
  }
}
