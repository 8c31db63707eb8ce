// Poses as Live Link Face's CSV: 52 shapes of ARKit and 9 rotations, columns in the app's own order.

import { arkitFromPose } from "./arkit";
import type { ViewerMetadata } from "./messages";
import type { Pose } from "./pose";

const TICKS_PER_SECOND = 60;

/** As aublend.curve_files.live_link writes it: time codes from zero, ten decimals, rotations at rest. */
export function liveLinkText(
  metadata: ViewerMetadata,
  units: readonly string[],
  poses: readonly Pose[],
  fps: number,
): string {
  const { arkit_shapes: shapes, arkit_rotations: rotations } = metadata;
  const header = ["Timecode", "BlendShapeCount", ...[...shapes, ...rotations].map(capitalized)];
  const still = rotations.map(() => (0).toFixed(10));
  const lines = poses.map((pose, frame) => {
    const weights = arkitFromPose(metadata, units, pose);
    const values = shapes.map((name) => (weights.get(name) ?? 0).toFixed(10));
    return [timecode(frame / fps), shapes.length + rotations.length, ...values, ...still].join(",");
  });
  return [header.join(","), ...lines, ""].join("\n");
}

/** HH:MM:SS:FF.sss, FF in sixtieths. */
function timecode(seconds: number): string {
  const ticks = Math.round(seconds * TICKS_PER_SECOND * 1000);
  const total = Math.floor(ticks / 1000 / TICKS_PER_SECOND);
  const frame = Math.floor(ticks / 1000) % TICKS_PER_SECOND;
  const [hours, minutes, rest] = [Math.floor(total / 3600) % 24, Math.floor(total / 60) % 60, total % 60];
  return `${[hours, minutes, rest, frame].map((part) => String(part).padStart(2, "0")).join(":")}.${String(ticks % 1000).padStart(3, "0")}`;
}

function capitalized(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}
