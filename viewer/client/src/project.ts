// What the reader made: a pose by hand, layers of keys, sound, and how time runs. Never changed in place, so that it can
// be undone.

import type { Clip } from "./clip";
import type { Ease, Key, Track } from "./keys";
import { BASE, emptyLayers, keyedUnits, layerOf, sumAt, withLayer, type Layer } from "./layers";
import type { SpokenPhone } from "./messages";
import { restPose, type Pose } from "./pose";
import { largestError, thinned, TOLERANCE, type Thinning } from "./thinning";

/** Which sound belongs to the animation; the sound itself is kept outside, see Sounds. */
export interface SoundReference {
  readonly name: string;
  readonly seconds: number;
  /** Of its bytes, to know it again. */
  readonly fingerprint: string;
}

/** What the last run of speech was asked for, besides the sound. */
export interface SpeechSettings {
  readonly text: string;
  readonly emotion: string;
  readonly intensity: number;
}

export interface Project {
  readonly pose: Pose;
  readonly layers: readonly Layer[];
  /** Whether the keys move the face; a slider moved by hand takes over until time moves on. */
  readonly follows: boolean;
  readonly seconds: number;
  readonly fps: number;
  readonly loop: boolean;
  /** Units whose halves have sliders of their own. */
  readonly unlinked: ReadonlySet<string>;
  /** What the sum of the layers is held within: 0 to 1, until a key goes beyond on purpose. */
  readonly limits: readonly [number, number];
  readonly sound: SoundReference | null;
  /** What is said when, in order. */
  readonly phones: readonly SpokenPhone[];
  readonly said: SpeechSettings;
}

export function emptyProject(units: number): Project {
  return {
    pose: restPose(units),
    layers: emptyLayers(),
    follows: false,
    seconds: 4,
    fps: 30,
    loop: true,
    unlinked: new Set(),
    limits: [0, 1],
    sound: null,
    phones: [],
    said: { text: "", emotion: "", intensity: 0.7 },
  };
}

/** The pose at a time: the sum of the layers where a unit has keys in some, the hand's pose elsewhere. */
export function poseAt(project: Project, units: readonly string[], time: number): Pose {
  const pose = project.pose.slice();
  if (!project.follows) return pose;
  const [low, high] = project.limits;
  for (const name of keyedUnits(project.layers)) {
    const unit = units.indexOf(name);
    if (unit < 0) continue;
    const [left, right] = sumAt(project.layers, name, time);
    pose[unit] = Math.min(Math.max(left, low), high);
    pose[units.length + unit] = Math.min(Math.max(right, low), high);
  }
  return pose;
}

/** Weights that differ by less than this are one: what rounding leaves of 0 or 1 in other programs' files. */
const ROUNDING = 1e-6;

/** Limits that let a row of weights pass. */
export function limitsWith(limits: readonly [number, number], weights: Iterable<number>): readonly [number, number] {
  let [low, high] = limits;
  for (const weight of weights) {
    if (weight < low - ROUNDING) low = weight;
    if (weight > high + ROUNDING) high = weight;
  }
  return low === limits[0] && high === limits[1] ? limits : [low, high];
}

function withoutRounding(weight: number): number {
  return Math.abs(weight) < ROUNDING ? 0 : weight;
}

/** Keys of every unit that moves in a row of poses, and what became of those that were too many. */
export function tracksOfFrames(
  units: readonly string[],
  times: ArrayLike<number>,
  poses: readonly Pose[],
  ease: Ease = "linear",
  tolerance = TOLERANCE,
): { tracks: ReadonlyMap<string, Track>; thinning: Thinning } {
  const tracks = new Map<string, Track>();
  let [from, to, error] = [0, 0, 0];
  units.forEach((name, unit) => {
    const keys = poses.map((pose, frame): Key => {
      const [left, right] = [pose[unit], pose[units.length + unit]].map(withoutRounding);
      return { time: times[frame] - times[0], left, right, ease };
    });
    if (keys.every((key) => key.left === 0 && key.right === 0)) return;
    const sparse = ease === "linear" ? thinned(keys, tolerance) : keys;
    tracks.set(name, sparse);
    from += keys.length;
    to += sparse.length;
    error = Math.max(error, largestError(keys, sparse));
  });
  return { tracks, thinning: { from, to, tolerance, error } };
}

/** A row of poses as the keys of one layer, whose other settings stay. */
export function withFrames(
  project: Project,
  units: readonly string[],
  times: ArrayLike<number>,
  poses: readonly Pose[],
  ease: Ease = "linear",
  layer = BASE,
  tolerance = TOLERANCE,
): Project {
  const { tracks } = tracksOfFrames(units, times, poses, ease, tolerance);
  const steps = Array.from(times)
    .slice(1)
    .map((time, place) => time - times[place])
    .sort((one, other) => one - other);
  const fps = Math.min(Math.max(Math.round(1 / (steps[steps.length >> 1] ?? 1 / 30)), 1), 240);
  const seconds = Math.max(times[times.length - 1] - times[0], 1 / fps);
  const layers = withLayer(project.layers, { ...layerOf(project.layers, layer), tracks });
  const others = layers.some((each) => each.name !== layer && each.tracks.size > 0) || project.sound !== null;
  const limits = poses.reduce(limitsWith, project.limits);
  return {
    ...project,
    layers,
    limits,
    follows: true,
    fps,
    seconds: others ? Math.max(seconds, project.seconds) : seconds,
  };
}

export function withClip(project: Project, units: readonly string[], clip: Clip): Project {
  const poses = Array.from(clip.times, (_, key) => clip.pose(key, units.length));
  return withFrames(project, units, clip.times, poses, clip.interpolation === "STEP" ? "step" : "linear");
}
