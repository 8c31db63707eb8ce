// neutral + sum of weight x offset for each half of the face, over the vertices that any shape moves.

import type { Face, RigidPart } from "./face";
import type { Pose } from "./pose";
import type { Target } from "./rig";

/** One shape's entries, sorted: the right half's, then those that both halves share, then the left half's. */
interface Sorted {
  /** 3 x place among the moved vertices. */
  readonly slots: Uint32Array;
  readonly offsets: Float32Array;
  readonly shared: number;
  readonly left: number;
}

/** Blends sparse shapes on the CPU; sums run in double precision, so the result is exact to one rounding. */
export class SparseBlend {
  readonly positions: Float32Array;
  /** Vertices that some shape or part moves. */
  readonly moved: Uint32Array;
  private readonly linear: Uint32Array;
  private readonly rest: Float64Array;
  private readonly sums: Float64Array;
  /** Left share of each moved vertex that both halves share, by slot. */
  private readonly shares: Float64Array;
  private readonly shapes: readonly Sorted[];
  private readonly weights: Float64Array;

  constructor(
    private readonly neutral: Float32Array,
    private readonly face: Face,
  ) {
    this.positions = neutral.slice();
    const targets = [...face.units, ...face.pairs.map((pair) => pair.shape)];
    const touched = new Uint8Array(neutral.length / 3);
    for (const target of targets) for (const vertex of target.vertices) touched[vertex] = 1;
    const half = (vertex: number): number => (face.share[vertex] === 0 ? 0 : face.share[vertex] === 1 ? 2 : 1);
    const linear = Uint32Array.from([...touched.keys()].filter((vertex) => touched[vertex] === 1));
    linear.sort((one, other) => half(one) - half(other) || one - other);
    this.linear = linear;
    this.moved = Uint32Array.from([...linear, ...face.parts.flatMap((part) => [...part.vertices])]);
    const slotOf = new Uint32Array(neutral.length / 3);
    this.rest = new Float64Array(3 * linear.length);
    this.shares = new Float64Array(linear.length);
    linear.forEach((vertex, slot) => {
      slotOf[vertex] = slot;
      this.rest.set(neutral.subarray(3 * vertex, 3 * vertex + 3), 3 * slot);
      this.shares[slot] = face.share[vertex];
    });
    this.sums = new Float64Array(3 * linear.length);
    this.shapes = targets.map((target) => sorted(target, slotOf, half));
    this.weights = new Float64Array(2 * targets.length);
  }

  /** Moves `positions` to the pose. */
  apply(pose: Pose): void {
    const { sums, positions, linear } = this;
    const weights = shapeWeights(this.face, pose, this.weights);
    sums.set(this.rest);
    const count = this.shapes.length;
    for (let index = 0; index < count; index++) {
      const [left, right] = [weights[index], weights[count + index]];
      const shape = this.shapes[index];
      if (left === right) addRange(sums, shape, 0, shape.slots.length, left);
      else {
        addRange(sums, shape, 0, shape.shared, right);
        addShared(sums, shape, this.shares, left, right);
        addRange(sums, shape, shape.left, shape.slots.length, left);
      }
    }
    for (let slot = 0; slot < linear.length; slot++) {
      const start = 3 * linear[slot];
      positions[start] = sums[3 * slot];
      positions[start + 1] = sums[3 * slot + 1];
      positions[start + 2] = sums[3 * slot + 2];
    }
    for (const part of this.face.parts) turn(part, turnOf(part, pose), this.neutral, positions);
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

function sorted(target: Target, slotOf: Uint32Array, half: (vertex: number) => number): Sorted {
  const order = Uint32Array.from(target.vertices.keys());
  order.sort((one, other) => slotOf[target.vertices[one]] - slotOf[target.vertices[other]]);
  const slots = order.map((entry) => 3 * slotOf[target.vertices[entry]]);
  const offsets = new Float32Array(3 * order.length);
  const sizes = [0, 0, 0];
  order.forEach((entry, place) => {
    offsets.set(target.offsets.subarray(3 * entry, 3 * entry + 3), 3 * place);
    sizes[half(target.vertices[entry])]++;
  });
  return { slots, offsets, shared: sizes[0], left: sizes[0] + sizes[1] };
}

function addRange(sums: Float64Array, { slots, offsets }: Sorted, from: number, to: number, weight: number): void {
  if (weight === 0) return;
  for (let entry = from; entry < to; entry++) {
    const slot = slots[entry];
    const at = 3 * entry;
    sums[slot] += weight * offsets[at];
    sums[slot + 1] += weight * offsets[at + 1];
    sums[slot + 2] += weight * offsets[at + 2];
  }
}

function addShared(sums: Float64Array, shape: Sorted, shares: Float64Array, left: number, right: number): void {
  const { slots, offsets } = shape;
  for (let entry = shape.shared; entry < shape.left; entry++) {
    const slot = slots[entry];
    const at = 3 * entry;
    const weight = right + shares[slot / 3] * (left - right);
    sums[slot] += weight * offsets[at];
    sums[slot + 1] += weight * offsets[at + 1];
    sums[slot + 2] += weight * offsets[at + 2];
  }
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
    const [p, q, r] = [neutral[at] - px, neutral[at + 1] - py, neutral[at + 2] - pz];
    const along = x * p + y * q + z * r;
    positions[at] = neutral[at] + first * (y * r - z * q) + second * (x * along - square * p);
    positions[at + 1] = neutral[at + 1] + first * (z * p - x * r) + second * (y * along - square * q);
    positions[at + 2] = neutral[at + 2] + first * (x * q - y * p) + second * (z * along - square * r);
  }
}
