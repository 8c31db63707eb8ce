// A track of morph weights over time.

import { addWeight, type Column, type Pose } from "./pose";

/** Weights at increasing times, in seconds. */
export class Clip {
  readonly duration: number;

  /**
   * @param times seconds, ascending.
   * @param values one row of weights a time; three rows (tangents around the value) for CUBICSPLINE.
   * @param columns what each weight of a row moves; null for what follows from the others (pairs).
   */
  constructor(
    readonly times: Float32Array,
    private readonly values: Float32Array,
    private readonly columns: readonly (Column | null)[],
    readonly interpolation: string,
  ) {
    const rows = times.length * (interpolation === "CUBICSPLINE" ? 3 : 1);
    if (times.length === 0 || values.length !== rows * columns.length) {
      throw new Error(
        `an animation of ${times.length} times and ${columns.length} targets has ${values.length} weights`,
      );
    }
    this.duration = times[times.length - 1];
  }

  /** The pose of one key. A spline's own value stands between its tangents. */
  pose(key: number, units: number): Pose {
    const pose = new Float64Array(2 * units);
    const row = this.interpolation === "CUBICSPLINE" ? 3 * key + 1 : key;
    this.columns.forEach((column, place) => {
      if (column !== null) addWeight(pose, column, this.values[row * this.columns.length + place]);
    });
    return pose;
  }
}
