// One-sided action units: "AU12L" is AU12 seen through a smooth mask of the subject's left half (+x).

import type { Target } from "./rig";

/** Half width of the blend zone around the middle of the face, metres. Left and right halves add up to the whole. */
const BLEND_HALF_WIDTH = 0.012;

/** The half of a target that a name such as "AU12L" stands for, or null when there is no such target. */
export function sidedTarget(name: string, targets: readonly Target[], positions: Float32Array): Target | null {
  const whole = targets.find((target) => target.name === name.slice(0, -1));
  const side = name.at(-1);
  if (whole === undefined || (side !== "L" && side !== "R")) return null;
  const sign = side === "L" ? 1 : -1;
  const offsets = whole.offsets.slice();
  whole.vertices.forEach((vertex, entry) => {
    const place = Math.min(Math.max((sign * positions[3 * vertex]) / BLEND_HALF_WIDTH, -1), 1) / 2 + 0.5;
    const share = place ** 3 * (place * (6 * place - 15) + 10); // smootherstep, as aublend.halves
    for (let axis = 0; axis < 3; axis++) offsets[3 * entry + axis] *= share;
  });
  return { name, vertices: whole.vertices, offsets };
}
