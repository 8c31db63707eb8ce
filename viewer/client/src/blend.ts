// neutral + sum of weight x offset for each half of the face, over the vertices that any shape moves.

import { ByShape, ByVertex, slotsOf, type Slots } from "./blend_layouts";
import type { Face, RigidPart } from "./face";
import type { Pose } from "./pose";

/** From this share of all entries at work on, going by vertex is faster (`python -m benchmarks.viewer`). */
const BY_VERTEX_FROM = 0.6;

/** Blends sparse shapes on the CPU; sums run in double precision, so the result is exact to one rounding. */
export class SparseBlend {
  readonly positions: Float32Array;
  /** Vertices that some shape or part moves. */
  readonly moved: Uint32Array;
  private readonly slots: Slots;
  private readonly byShape: ByShape;
  private readonly byVertex: ByVertex;
  private readonly rest: Float64Array;
  private readonly sums: Float64Array;
  private readonly weights: Float64Array;
  private readonly entries: number;

  constructor(
    private readonly neutral: Float32Array,
    private readonly face: Face,
  ) {
    this.positions = neutral.slice();
    const targets = [...face.units, ...face.pairs.map((pair) => pair.shape)];
    const slots = (this.slots = slotsOf(targets, face.share));
    this.moved = Uint32Array.from([...slots.vertices, ...face.parts.flatMap((part) => [...part.vertices])]);
    this.byShape = new ByShape(targets, slots);
    this.byVertex = new ByVertex(targets, slots, neutral);
    this.entries = this.byShape.sizes.reduce((sum, size) => sum + size, 0);
    this.rest = new Float64Array(3 * slots.vertices.length);
    slots.vertices.forEach((vertex, slot) => this.rest.set(neutral.subarray(3 * vertex, 3 * vertex + 3), 3 * slot));
    this.sums = new Float64Array(this.rest.length);
    this.weights = new Float64Array(2 * targets.length);
  }

  /** Moves `positions` to the pose. */
  apply(pose: Pose): void {
    const { positions } = this;
    const weights = shapeWeights(this.face, pose, this.weights);
    if (this.atWork(weights) >= BY_VERTEX_FROM * this.entries) this.byVertex.write(positions, weights);
    else this.applyByShape(weights);
    for (const part of this.face.parts) turn(part, turnOf(part, pose), this.neutral, positions);
  }

  /** Entries of the shapes that have a weight. */
  private atWork(weights: Float64Array): number {
    const { sizes } = this.byShape;
    let entries = 0;
    for (let shape = 0; shape < sizes.length; shape++) {
      if (weights[shape] !== 0 || weights[sizes.length + shape] !== 0) entries += sizes[shape];
    }
    return entries;
  }

  private applyByShape(weights: Float64Array): void {
    const { sums, positions } = this;
    const { vertices } = this.slots;
    sums.set(this.rest);
    this.byShape.add(sums, weights);
    for (let slot = 0; slot < vertices.length; slot++) {
      const at = 3 * vertices[slot];
      positions[at] = sums[3 * slot];
      positions[at + 1] = sums[3 * slot + 1];
      positions[at + 2] = sums[3 * slot + 2];
    }
  }
}

/** Weights of the units and then of the pairs, left half first: a pair's is the product of its units'. */
export function shapeWeights(face: Face, pose: Pose, weights: Float64Array): Float64Array {
  const units = face.units.length;
  const count = units + face.pairs.length;
  for (let side = 0; side < 2; side++) {
    for (let unit = 0; unit < units; unit++) weights[side * count + unit] = pose[side * units + unit];
    face.pairs.forEach(({ units: [one, other] }, pair) => {
      weights[side * count + units + pair] = pose[side * units + one] * pose[side * units + other];
    });
  }
  return weights;
}

/** The rotation vector of a part under a pose. */
export function turnOf(part: RigidPart, pose: Pose): [number, number, number] {
  const units = pose.length / 2;
  const first = part.side === "left" ? 0 : units;
  const sum: [number, number, number] = [0, 0, 0];
  for (let unit = 0; unit < units; unit++) {
    const weight = pose[first + unit];
    if (weight !== 0) for (let axis = 0; axis < 3; axis++) sum[axis] += weight * part.turns[3 * unit + axis];
  }
  return sum;
}

/** Rodrigues' formula about the pivot, as aublend.rigid_parts. */
function turn(part: RigidPart, [x, y, z]: readonly number[], neutral: Float32Array, positions: Float32Array): void {
  const square = x * x + y * y + z * z;
  const angle = Math.sqrt(square);
  const first = angle === 0 ? 0 : Math.sin(angle) / angle;
  const second = angle === 0 ? 0 : 2 * (Math.sin(angle / 2) / angle) ** 2;
  const [px, py, pz] = part.pivot;
  for (const vertex of part.vertices) {
    const at = 3 * vertex;
    const p = neutral[at] - px;
    const q = neutral[at + 1] - py;
    const r = neutral[at + 2] - pz;
    const along = x * p + y * q + z * r;
    positions[at] = neutral[at] + first * (y * r - z * q) + second * (x * along - square * p);
    positions[at + 1] = neutral[at + 1] + first * (z * p - x * r) + second * (y * along - square * q);
    positions[at + 2] = neutral[at + 2] + first * (x * q - y * p) + second * (z * along - square * r);
  }
}
