// neutral + sum of weight x offset, over the vertices that any target moves.

import type { Target } from "./rig";

/** Blends sparse morph targets on the CPU; sums run in double precision, so the result is exact to one rounding. */
export class SparseBlend {
  readonly positions: Float32Array;
  /** Vertices that some target moves, ascending. */
  readonly moved: Uint32Array;
  private readonly neutral: Float64Array;
  private readonly sums: Float64Array;
  private readonly slots: readonly Uint32Array[];

  constructor(
    neutral: Float32Array,
    private readonly targets: readonly Target[],
  ) {
    this.positions = neutral.slice();
    const slotOf = new Int32Array(neutral.length / 3).fill(-1);
    for (const target of targets) for (const vertex of target.vertices) slotOf[vertex] = 0;
    const moved: number[] = [];
    slotOf.forEach((mark, vertex) => {
      if (mark === 0) slotOf[vertex] = moved.push(vertex) - 1;
    });
    this.moved = Uint32Array.from(moved);
    this.neutral = new Float64Array(3 * moved.length);
    moved.forEach((vertex, slot) => this.neutral.set(neutral.subarray(3 * vertex, 3 * vertex + 3), 3 * slot));
    this.sums = new Float64Array(3 * moved.length);
    this.slots = targets.map((target) => target.vertices.map((vertex) => 3 * slotOf[vertex]));
  }

  /** Moves `positions` to the blend of the targets with these weights, one a target. */
  apply(weights: ArrayLike<number>): void {
    const { sums, positions, moved } = this;
    sums.set(this.neutral);
    this.targets.forEach(({ offsets }, index) => {
      const weight = weights[index];
      if (weight === 0) return;
      const slots = this.slots[index];
      for (let entry = 0; entry < slots.length; entry++) {
        const slot = slots[entry];
        sums[slot] += weight * offsets[3 * entry];
        sums[slot + 1] += weight * offsets[3 * entry + 1];
        sums[slot + 2] += weight * offsets[3 * entry + 2];
      }
    });
    for (let slot = 0; slot < moved.length; slot++) {
      const start = 3 * moved[slot];
      positions[start] = sums[3 * slot];
      positions[start + 1] = sums[3 * slot + 1];
      positions[start + 2] = sums[3 * slot + 2];
    }
  }
}
