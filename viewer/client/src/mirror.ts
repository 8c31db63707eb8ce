// Swaps the sides of a pose.

import { restPose, type Pose } from "./pose";

/** Units that are each other's mirror image, beside those whose names end in a side. */
const TWINS: Record<string, string> = { AU61: "AU62", AU62: "AU61" };

export function mirrored(pose: Pose, names: readonly string[]): Pose {
  const swapped = restPose(names.length);
  names.forEach((name, unit) => {
    const twin = names.indexOf(twinOf(name));
    const to = twin < 0 ? unit : twin;
    swapped[to] = pose[names.length + unit];
    swapped[names.length + to] = pose[unit];
  });
  return swapped;
}

function twinOf(name: string): string {
  if (name in TWINS) return TWINS[name];
  const ends: readonly [RegExp, string][] = [
    [/Left$/, "Right"],
    [/Right$/, "Left"],
    [/L$/, "R"],
    [/R$/, "L"],
  ];
  const match = ends.find(([end]) => end.test(name));
  return match === undefined ? name : name.replace(match[0], match[1]);
}
