// What the reader made: a pose by hand, keyframes, and how time runs. Never changed in place, so that it can be undone.

import type { Clip } from "./clip";
import { EASES, sampleTrack, thinned, type Ease, type Key, type Track } from "./keys";
import { restPose, type Pose } from "./pose";

export interface Project {
  readonly pose: Pose;
  /** Units by name. */
  readonly tracks: ReadonlyMap<string, Track>;
  /** Whether the keys move the face; a slider moved by hand takes over until time moves on. */
  readonly follows: boolean;
  readonly seconds: number;
  readonly fps: number;
  readonly loop: boolean;
  /** Units whose halves have sliders of their own. */
  readonly unlinked: ReadonlySet<string>;
}

const FORMAT = "facet4d viewer project 1";
/** Keys of an imported animation that lie this close to a line are no keys. */
const IMPORT_TOLERANCE = 2e-3;

export function emptyProject(units: number): Project {
  return {
    pose: restPose(units),
    tracks: new Map(),
    follows: false,
    seconds: 4,
    fps: 30,
    loop: true,
    unlinked: new Set(),
  };
}

/** The pose at a time: keys where a unit has some, the hand's pose elsewhere. */
export function poseAt(project: Project, units: readonly string[], time: number): Pose {
  const pose = project.pose.slice();
  if (!project.follows) return pose;
  units.forEach((name, unit) => {
    const track = project.tracks.get(name);
    if (track === undefined) return;
    [pose[unit], pose[units.length + unit]] = sampleTrack(track, time);
  });
  return pose;
}

/** Keys of every unit that moves in a row of poses. */
export function withFrames(
  project: Project,
  units: readonly string[],
  times: ArrayLike<number>,
  poses: readonly Pose[],
  ease: Ease = "linear",
): Project {
  const tracks = new Map<string, Track>();
  const steps = Array.from(times)
    .slice(1)
    .map((time, place) => time - times[place]);
  units.forEach((name, unit) => {
    const keys = poses.map((pose, frame): Key => {
      return { time: times[frame] - times[0], left: pose[unit], right: pose[units.length + unit], ease };
    });
    if (keys.some((key) => key.left !== 0 || key.right !== 0)) {
      tracks.set(name, ease === "linear" ? thinned(keys, IMPORT_TOLERANCE) : keys);
    }
  });
  const step = steps.sort((one, other) => one - other)[steps.length >> 1] ?? 1 / 30;
  const fps = Math.min(Math.max(Math.round(1 / step), 1), 240);
  return { ...project, tracks, follows: true, seconds: Math.max(times[times.length - 1] - times[0], 1 / fps), fps };
}

export function withClip(project: Project, units: readonly string[], clip: Clip): Project {
  const poses = Array.from(clip.times, (_, key) => clip.pose(key, units.length));
  return withFrames(project, units, clip.times, poses, clip.interpolation === "STEP" ? "step" : "linear");
}

/** The project as a file: names and numbers only, so that it opens on any head. */
export function projectText(project: Project, units: readonly string[]): string {
  const pose: Record<string, readonly [number, number]> = {};
  units.forEach((name, unit) => {
    const both = [project.pose[unit], project.pose[units.length + unit]] as const;
    if (both[0] !== 0 || both[1] !== 0) pose[name] = both;
  });
  const { follows, seconds, fps, loop } = project;
  const tracks = Object.fromEntries(project.tracks);
  return JSON.stringify({ format: FORMAT, pose, tracks, follows, seconds, fps, loop, unlinked: [...project.unlinked] });
}

/** Reads a project file; units that this head lacks are named in `missing`. Throws an Error that says what is wrong. */
export function readProject(text: string, units: readonly string[]): { project: Project; missing: string[] } {
  const file = record(JSON.parse(text), "the file");
  if (file["format"] !== FORMAT) throw new Error(`expected a project file ("${FORMAT}")`);
  const pose = restPose(units.length);
  const missing = new Set<string>();
  for (const [name, both] of Object.entries(record(file["pose"], "pose"))) {
    const unit = units.indexOf(name);
    if (unit < 0) missing.add(name);
    else {
      const [left, right] = Array.isArray(both) ? both : [];
      [pose[unit], pose[units.length + unit]] = [number(left, `pose.${name}`), number(right, `pose.${name}`)];
    }
  }
  const tracks = new Map<string, Track>();
  for (const [name, list] of Object.entries(record(file["tracks"], "tracks"))) {
    if (!units.includes(name)) missing.add(name);
    else if (Array.isArray(list) && list.length > 0) {
      const keys = list.map((entry, place) => readKey(entry, `tracks.${name}[${place}]`));
      tracks.set(
        name,
        keys.sort((one, other) => one.time - other.time),
      );
    }
  }
  const unlinked = Array.isArray(file["unlinked"]) ? file["unlinked"].map(String) : [];
  const project: Project = {
    pose,
    tracks,
    follows: file["follows"] === true,
    seconds: Math.min(Math.max(number(file["seconds"], "seconds"), 0.1), 3600),
    fps: Math.min(Math.max(number(file["fps"], "fps"), 1), 240),
    loop: file["loop"] === true,
    unlinked: new Set(unlinked),
  };
  return { project, missing: [...missing] };
}

function readKey(entry: unknown, place: string): Key {
  const key = record(entry, place);
  const ease = EASES.find((each) => each === key["ease"]);
  if (ease === undefined) throw new Error(`${place}.ease: expected one of ${EASES.join(", ")}`);
  const time = number(key["time"], `${place}.time`);
  if (time < 0) throw new Error(`${place}.time: expected seconds from 0`);
  return { time, left: number(key["left"], `${place}.left`), right: number(key["right"], `${place}.right`), ease };
}

function record(value: unknown, place: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error(`${place}: no object`);
  return value as Record<string, unknown>;
}

function number(value: unknown, place: string): number {
  if (typeof value !== "number" || !Number.isFinite(value)) throw new Error(`${place}: expected a number`);
  return value;
}
