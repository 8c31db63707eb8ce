// Poses over time as the weights of a file's targets: whole units, pairs at work, and halves where sides differ.

import { columnOf, type Pose } from "./pose";

/** Poses at ascending times, seconds; `units` names the pose's columns. */
export interface Track {
  readonly units: readonly string[];
  readonly times: ArrayLike<number>;
  readonly poses: readonly Pose[];
}

/** Less than this of a half beyond the other is rounding. */
const SAME = 1e-9;

/**
 * Both halves get the smaller weight through the whole target, and what one has beyond it goes to a target of its own
 * half (AU12L); a pair's weight is the product of its units' on each half. As aublend.rig_files.split_halves does it.
 *
 * @param targets names of the file's targets, pairs among them.
 * @returns names of targets, and a row of weights a time.
 */
export function weightColumns(
  targets: readonly string[],
  { units, poses }: Track,
): { names: readonly string[]; weights: Float32Array } {
  const halves = new Map<string, [Float64Array, Float64Array]>();
  const sides = (value: (pose: Pose, side: number) => number): [Float64Array, Float64Array] => [
    Float64Array.from(poses, (pose) => value(pose, 0)),
    Float64Array.from(poses, (pose) => value(pose, 1)),
  ];
  for (const name of targets) {
    const column = columnOf(name, units);
    const factors = name.split("+").map((unit) => units.indexOf(unit));
    if (column?.side === "both") {
      halves.set(
        name,
        sides((pose, side) => pose[side * units.length + column.unit]),
      );
    } else if (factors.length === 2 && factors.every((unit) => unit >= 0)) {
      const [one, other] = factors;
      const product = sides((pose, side) => pose[side * units.length + one] * pose[side * units.length + other]);
      if (product.some((side) => side.some((weight) => weight !== 0))) halves.set(name, product);
    } else
      halves.set(
        name,
        sides(() => 0),
      );
  }
  const columns = new Map<string, Float64Array>();
  for (const [name, [left, right]] of halves) {
    columns.set(
      name,
      left.map((weight, frame) => Math.min(weight, right[frame])),
    );
  }
  for (const [name, both] of halves) {
    const smaller = columns.get(name)!;
    both.forEach((side, place) => {
      const beyond = side.map((weight, frame) => weight - smaller[frame]);
      const own = name + "LR"[place];
      if (beyond.some((weight) => weight > SAME)) columns.set(own, sum(columns.get(own), beyond));
    });
  }
  const names = [...columns.keys()];
  const weights = new Float32Array(names.length * poses.length);
  names.forEach((name, place) => {
    columns.get(name)!.forEach((weight, frame) => (weights[frame * names.length + place] = weight));
  });
  return { names, weights };
}

function sum(one: Float64Array | undefined, other: Float64Array): Float64Array {
  return one === undefined ? other : other.map((value, frame) => value + one[frame]);
}
