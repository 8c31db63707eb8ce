// A track of morph weights over time.

/** Weights of the rig's targets at increasing times, in seconds. */
export class Clip {
  readonly duration: number;

  /**
   * @param times seconds, ascending.
   * @param values one row of weights a time; three rows (tangents around the value) for CUBICSPLINE.
   * @param columns for each weight of a row, the index of the rig's target.
   */
  constructor(
    private readonly times: Float32Array,
    private readonly values: Float32Array,
    private readonly columns: readonly number[],
    private readonly interpolation: string,
  ) {
    const rows = times.length * (interpolation === "CUBICSPLINE" ? 3 : 1);
    if (times.length === 0 || values.length !== rows * columns.length) {
      throw new Error(
        `an animation of ${times.length} times and ${columns.length} targets has ${values.length} weights`,
      );
    }
    this.duration = times[times.length - 1];
  }

  /** Writes the weights at a time into `weights`; before the first and after the last key they hold. */
  sample(time: number, weights: Float32Array): void {
    const last = this.times.length - 1;
    const after = this.times.findIndex((key) => key > time);
    const left = after === -1 ? last : Math.max(after - 1, 0);
    const right = Math.min(left + 1, last);
    const span = this.times[right] - this.times[left];
    const between = span > 0 ? Math.min(Math.max((time - this.times[left]) / span, 0), 1) : 0;
    const share = this.interpolation === "STEP" ? 0 : between;
    this.columns.forEach((target, column) => {
      if (target < 0) return;
      weights[target] = (1 - share) * this.weight(left, column) + share * this.weight(right, column);
    });
  }

  // A spline's own value stands between its tangents; keys are dense, so we join the values by lines.
  private weight(key: number, column: number): number {
    const row = this.interpolation === "CUBICSPLINE" ? 3 * key + 1 : key;
    return this.values[row * this.columns.length + column];
  }
}
