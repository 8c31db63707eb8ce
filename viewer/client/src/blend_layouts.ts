// The offsets of all shapes in two orders: by shape, where few shapes are at work, and by vertex, where most are.

import type { Target } from "./rig";

/** The vertices that shapes move, sorted: the right half's, then those that both halves share, then the left half's. */
export interface Slots {
  /** The vertex of each slot. */
  readonly vertices: Uint32Array;
  readonly slotOf: Int32Array;
  /** The first slot that both halves share, and the first that is the left half's alone. */
  readonly shared: number;
  readonly left: number;
  /** Left share of each slot. */
  readonly shares: Float64Array;
}

export function slotsOf(targets: readonly Target[], share: Float32Array): Slots {
  const touched = new Uint8Array(share.length);
  for (const target of targets) for (const vertex of target.vertices) touched[vertex] = 1;
  const half = (vertex: number): number => (share[vertex] === 0 ? 0 : share[vertex] === 1 ? 2 : 1);
  const vertices = Uint32Array.from([...touched.keys()].filter((vertex) => touched[vertex] === 1));
  vertices.sort((one, other) => half(one) - half(other) || one - other);
  const slotOf = new Int32Array(share.length).fill(-1);
  vertices.forEach((vertex, slot) => (slotOf[vertex] = slot));
  const first = (from: number): number => {
    const found = vertices.findIndex((vertex) => half(vertex) >= from);
    return found < 0 ? vertices.length : found;
  };
  return { vertices, slotOf, shared: first(1), left: first(2), shares: Float64Array.from(vertices, (v) => share[v]) };
}

/** Shape after shape, in runs of neighbouring slots: what rests costs nothing. */
export class ByShape {
  /** Entries of each shape. */
  readonly sizes: readonly number[];
  private readonly shapes: readonly { runs: Uint32Array; offsets: Float32Array }[];

  constructor(
    targets: readonly Target[],
    private readonly slots: Slots,
  ) {
    this.shapes = targets.map((target) => inRuns(target, slots));
    this.sizes = targets.map((target) => target.vertices.length);
  }

  /** Adds to `sums`, three numbers a slot, the shapes with weights: left ones, then right ones. */
  add(sums: Float64Array, weights: Float64Array): void {
    const { shapes, slots } = this;
    for (let shape = 0; shape < shapes.length; shape++) {
      const [left, right] = [weights[shape], weights[shapes.length + shape]];
      if (left !== 0 || right !== 0) addRuns(sums, shapes[shape], slots, left, right);
    }
  }
}

function inRuns(target: Target, { slotOf, shared, left }: Slots): { runs: Uint32Array; offsets: Float32Array } {
  const order = Uint32Array.from(target.vertices.keys());
  order.sort((one, other) => slotOf[target.vertices[one]] - slotOf[target.vertices[other]]);
  const offsets = new Float32Array(3 * order.length);
  const runs: number[] = [];
  let before = -2;
  order.forEach((entry, place) => {
    offsets.set(target.offsets.subarray(3 * entry, 3 * entry + 3), 3 * place);
    const slot = slotOf[target.vertices[entry]];
    // A run stays in one half.
    if (slot === before + 1 && slot !== shared && slot !== left) runs[runs.length - 1]++;
    else runs.push(slot, 1);
    before = slot;
  });
  return { runs: Uint32Array.from(runs), offsets };
}

function addRuns(
  sums: Float64Array,
  { runs, offsets }: { runs: Uint32Array; offsets: Float32Array },
  slots: Slots,
  left: number,
  right: number,
): void {
  let from = 0;
  for (let run = 0; run < runs.length; run += 2) {
    const slot = runs[run];
    let at = 3 * slot;
    const end = at + 3 * runs[run + 1];
    if (left === right || slot < slots.shared || slot >= slots.left) {
      const weight = slot < slots.shared ? right : left;
      for (; at < end; at++, from++) sums[at] += weight * offsets[from];
    } else {
      for (; at < end; at += 3, from += 3) {
        const weight = right + slots.shares[at / 3] * (left - right);
        sums[at] += weight * offsets[from];
        sums[at + 1] += weight * offsets[from + 1];
        sums[at + 2] += weight * offsets[from + 2];
      }
    }
  }
}

/** Vertex after vertex: each is summed in registers and written once. In 16 bits where the file came in 16 bits. */
export class ByVertex {
  private readonly starts: Uint32Array;
  private readonly shapeOf: Uint8Array | Uint16Array;
  private readonly offsets: Int16Array | Float32Array;
  /** What an offset counts in, by shape. */
  private readonly steps: Float64Array;
  private readonly scaled: Float64Array;

  constructor(
    targets: readonly Target[],
    private readonly slots: Slots,
    private readonly rest: Float32Array,
  ) {
    const exact = targets.every((target) => target.vertices.length === 0 || isWhole(target));
    const total = targets.reduce((sum, target) => sum + target.vertices.length, 0);
    this.steps = Float64Array.from(targets, (target) => (exact && target.step !== null ? target.step : 1));
    this.scaled = new Float64Array(2 * targets.length);
    this.starts = new Uint32Array(slots.vertices.length + 1);
    for (const { vertices } of targets) for (const vertex of vertices) this.starts[slots.slotOf[vertex] + 1]++;
    for (let slot = 0; slot < slots.vertices.length; slot++) this.starts[slot + 1] += this.starts[slot];
    const filled = this.starts.slice();
    this.shapeOf = targets.length <= 256 ? new Uint8Array(total) : new Uint16Array(total);
    this.offsets = exact ? new Int16Array(3 * total) : new Float32Array(3 * total);
    targets.forEach(({ vertices, offsets }, shape) => {
      vertices.forEach((vertex, entry) => {
        const at = filled[slots.slotOf[vertex]]++;
        this.shapeOf[at] = shape;
        for (let axis = 0; axis < 3; axis++) {
          const offset = offsets[3 * entry + axis] / this.steps[shape];
          this.offsets[3 * at + axis] = exact ? Math.round(offset) : offset;
        }
      });
    });
  }

  /** Writes the moved vertices of `positions` under weights: left ones, then right ones. */
  write(positions: Float32Array, weights: Float64Array): void {
    const { slots, steps, scaled } = this;
    const count = steps.length;
    for (let place = 0; place < scaled.length; place++) scaled[place] = weights[place] * steps[place % count];
    const [left, right] = [scaled.subarray(0, count), scaled.subarray(count)];
    if (left.every((weight, shape) => weight === right[shape])) {
      return this.writeHalf(positions, 0, slots.vertices.length, left);
    }
    this.writeHalf(positions, 0, slots.shared, right);
    this.writeShared(positions, left, right);
    this.writeHalf(positions, slots.left, slots.vertices.length, left);
  }

  private writeHalf(positions: Float32Array, from: number, to: number, weights: Float64Array): void {
    const { starts, shapeOf, offsets, rest } = this;
    const { vertices } = this.slots;
    let entry = starts[from];
    for (let slot = from; slot < to; slot++) {
      const end = starts[slot + 1];
      const at = 3 * vertices[slot];
      let x = rest[at];
      let y = rest[at + 1];
      let z = rest[at + 2];
      for (; entry < end; entry++) {
        const weight = weights[shapeOf[entry]];
        const place = 3 * entry;
        x += weight * offsets[place];
        y += weight * offsets[place + 1];
        z += weight * offsets[place + 2];
      }
      positions[at] = x;
      positions[at + 1] = y;
      positions[at + 2] = z;
    }
  }

  private writeShared(positions: Float32Array, left: Float64Array, right: Float64Array): void {
    const { starts, shapeOf, offsets, rest } = this;
    const { vertices, shares, shared, left: last } = this.slots;
    let entry = starts[shared];
    for (let slot = shared; slot < last; slot++) {
      const end = starts[slot + 1];
      const at = 3 * vertices[slot];
      const share = shares[slot];
      let x = rest[at];
      let y = rest[at + 1];
      let z = rest[at + 2];
      for (; entry < end; entry++) {
        const own = right[shapeOf[entry]];
        const weight = own + share * (left[shapeOf[entry]] - own);
        const place = 3 * entry;
        x += weight * offsets[place];
        y += weight * offsets[place + 1];
        z += weight * offsets[place + 2];
      }
      positions[at] = x;
      positions[at + 1] = y;
      positions[at + 2] = z;
    }
  }
}

/** Whether a target's offsets are whole steps, but for the rounding of float32. */
function isWhole({ offsets, step }: Target): boolean {
  if (step === null) return false;
  return offsets.every((offset) => {
    const steps = offset / step;
    return Math.abs(steps) < 32767.5 && Math.abs(steps - Math.round(steps)) < 0.01;
  });
}
