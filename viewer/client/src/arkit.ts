// Action units <-> ARKit's 52 shapes by the table of data_specs/arkit.toml, as aublend.arkit does it.

import type { ArkitUnit, ViewerMetadata } from "./messages";
import { restPose, type Pose } from "./pose";

const SEALING = ["AU24", "AU28"];

/** The shapes that come nearest to a pose, by name, in 0..1; mouthClose never beyond jawOpen. */
export function arkitFromPose(
  { arkit, arkit_shapes }: ViewerMetadata,
  units: readonly string[],
  pose: Pose,
): Map<string, number> {
  const shapes = new Map(arkit_shapes.map((name) => [name, 0]));
  const add = (table: Readonly<Record<string, number>>, weight: number): void => {
    for (const [name, share] of Object.entries(table)) shapes.set(name, (shapes.get(name) ?? 0) + share * weight);
  };
  for (const row of arkit) {
    const unit = units.indexOf(row.name);
    if (unit < 0) continue;
    const [left, right] = [pose[unit], pose[units.length + unit]];
    add(row.left, left);
    add(row.right, right);
    add(row.middle, (left + right) / 2);
  }
  for (const [name, weight] of shapes) shapes.set(name, unitRange(weight));
  shapes.set("mouthClose", Math.min(shapes.get("mouthClose") ?? 0, shapes.get("jawOpen") ?? 0));
  return shapes;
}

/** The pose that shapes show: the units that ARKit can tell. */
export function poseFromArkit({ arkit }: ViewerMetadata, units: readonly string[], shapes: Map<string, number>): Pose {
  const pose = restPose(units.length);
  const weight = (name: string): number => unitRange(shapes.get(name) ?? 0);
  const row = (name: string): ArkitUnit | undefined => arkit.find((each) => each.name === name);
  let sealing = 0;
  for (const each of arkit.filter(({ match }) => match === "own" || match === "several")) {
    const unit = units.indexOf(each.name);
    if (unit < 0) continue;
    [each.left, each.right].forEach((own, side) => {
      const shares = Object.entries({ ...own, ...each.middle }).filter(
        ([name]) => each.read.length === 0 || each.read.includes(name),
      );
      const seen = shares.reduce((sum, [name, share]) => sum + weight(name) / share, 0) / Math.max(shares.length, 1);
      pose[side * units.length + unit] = seen;
      if (SEALING.includes(each.name)) sealing += seen / 2;
    });
  }
  const closed = Math.min(weight("mouthClose"), weight("jawOpen"));
  const jaw = unitRange(weight("jawOpen") - Math.max(closed - sealing, 0));
  const [drop, stretch] = [row("AU26")?.middle["jawOpen"] ?? 0.4, row("AU27")?.middle["jawOpen"] ?? 1];
  const beyond = unitRange((jaw - drop) / (stretch - drop));
  for (const [name, value] of [
    ["AU26", unitRange(jaw / drop) - beyond],
    ["AU27", beyond],
  ] as const) {
    const unit = units.indexOf(name);
    if (unit >= 0) pose[unit] = pose[units.length + unit] = value;
  }
  return pose;
}

function unitRange(value: number): number {
  return Math.min(Math.max(value, 0), 1);
}
