// Weights of all units: the subject's left half first, then the right one. A unit's weight on both halves is a pair.

export type Pose = Float64Array;
export type Side = "both" | "left" | "right";

/** Where a named weight goes: a unit, and which half of it. */
export interface Column {
  readonly unit: number;
  readonly side: Side;
}

export function restPose(units: number): Pose {
  return new Float64Array(2 * units);
}

/** "AU12" is both halves, "AU12L" and "AU12R" are one; AU30L and AU30R are units of their own. Null for no unit. */
export function columnOf(name: string, units: readonly string[]): Column | null {
  const whole = units.indexOf(name);
  if (whole >= 0) return { unit: whole, side: "both" };
  const unit = units.indexOf(name.slice(0, -1));
  const letter = name.at(-1);
  if (unit < 0 || (letter !== "L" && letter !== "R")) return null;
  return { unit, side: letter === "L" ? "left" : "right" };
}

export function addWeight(pose: Pose, { unit, side }: Column, weight: number): void {
  if (side !== "right") pose[unit] += weight;
  if (side !== "left") pose[pose.length / 2 + unit] += weight;
}

/** Named weights times a factor; names that are no unit of this rig are left out. */
export function poseOf(weights: Readonly<Record<string, number>>, units: readonly string[], factor = 1): Pose {
  const pose = restPose(units.length);
  for (const [name, weight] of Object.entries(weights)) {
    const column = columnOf(name, units);
    if (column !== null) addWeight(pose, column, weight * factor);
  }
  return pose;
}

/** Units that have no halves to unlink: their name says a side already. */
export function isSided(name: string): boolean {
  return !/(L|R|Left|Right|_l|_r)$/.test(name);
}
