// Changes of chosen keys in one layer: move, scale, ease, handles, copy and paste. Pure; locks are the caller's matter.

import { segmentHandles, withKey, withoutKey, type Ease, type Handle, type Key, type Track } from "./keys";
import { withTrack, type Layer } from "./layers";
import type { Side } from "./pose";

/** A key by its place. */
export interface KeyRef {
  readonly unit: string;
  readonly time: number;
}

export interface Edited {
  readonly layer: Layer;
  /** Where the chosen keys are afterwards. */
  readonly refs: readonly KeyRef[];
}

/** Keys of several units, their times from the first one's. */
export type Clipboard = readonly { readonly unit: string; readonly key: Key }[];

/** Beyond this no weight makes sense, also of a layer that takes away. */
const LARGEST = 2;
const SAME_TIME = 1e-4;

export function keyAt(layer: Layer, { unit, time }: KeyRef): Key | undefined {
  return layer.tracks.get(unit)?.find((key) => Math.abs(key.time - time) <= SAME_TIME);
}

/** The layer with each chosen key as `change` makes it, or without it for null; they win over keys they land on. */
export function changedKeys(layer: Layer, refs: readonly KeyRef[], change: (key: Key) => Key | null): Edited {
  const after: KeyRef[] = [];
  let next = layer;
  for (const unit of new Set(refs.map((ref) => ref.unit))) {
    let track: Track = layer.tracks.get(unit) ?? [];
    const chosen = refs.flatMap((ref) => (ref.unit === unit ? (keyAt(layer, ref) ?? []) : []));
    for (const key of chosen) track = withoutKey(track, key.time);
    for (const key of chosen) {
      const made = change(key);
      if (made === null) continue;
      track = withKey(track, made);
      after.push({ unit, time: made.time });
    }
    next = withTrack(next, unit, track);
  }
  return { layer: next, refs: after };
}

function bounded(weight: number): number {
  return Math.min(Math.max(weight, -LARGEST), LARGEST);
}

/** A key with other weights on one half or both. */
export function withWeights(key: Key, side: Side, change: (weight: number) => number): Key {
  return {
    ...key,
    left: side === "right" ? key.left : bounded(change(key.left)),
    right: side === "left" ? key.right : bounded(change(key.right)),
  };
}

export function movedBy(seconds: number, weight: number, side: Side): (key: Key) => Key {
  return (key) => ({ ...withWeights(key, side, (each) => each + weight), time: Math.max(key.time + seconds, 0) });
}

/** Times about a pivot and weights about another, handles along with them. */
export function scaledBy(
  [pivotTime, times]: readonly [number, number],
  [pivotWeight, weights]: readonly [number, number],
  side: Side,
): (key: Key) => Key {
  const [left, right] = [side === "right" ? 1 : weights, side === "left" ? 1 : weights];
  const scaled = (handle: Handle | undefined): Handle | undefined =>
    handle && { time: handle.time * Math.abs(times), left: handle.left * left, right: handle.right * right };
  return (key) => {
    const moved = withWeights(key, side, (each) => pivotWeight + weights * (each - pivotWeight));
    const time = Math.max(pivotTime + times * (key.time - pivotTime), 0);
    return withHandles({ ...moved, time }, scaled(key.arrive), scaled(key.leave));
  };
}

/** To the nearest frame, within the animation. */
export function onFrame(time: number, { fps, seconds }: { readonly fps: number; readonly seconds: number }): number {
  return Math.min(Math.max(Math.round(time * fps) / fps, 0), seconds);
}

export function easedTo(ease: Ease): (key: Key) => Key {
  return (key) => ({ ...key, ease });
}

/** A key with given handles; none means that they follow from the neighbours. */
export function withHandles(key: Key, arrive?: Handle, leave?: Handle): Key {
  const { time, left, right, ease } = key;
  return { time, left, right, ease, ...(arrive && { arrive }), ...(leave && { leave }) };
}

/** The handles of a key as they are drawn; undefined where the curve is no Bezier on that side. */
export function shownHandles(track: Track, place: number): { arrive?: Handle; leave?: Handle } {
  const shown: { arrive?: Handle; leave?: Handle } = {};
  if (place > 0 && track[place - 1].ease === "bezier") shown.arrive = segmentHandles(track, place - 1)[1];
  if (place < track.length - 1 && track[place].ease === "bezier") shown.leave = segmentHandles(track, place)[0];
  return shown;
}

/**
 * A key whose handle was pulled to an offset in weight, `seconds` away; the other one turns along, unless `broken`.
 */
export function pulled(
  track: Track,
  place: number,
  which: "arrive" | "leave",
  [seconds, weight]: readonly [number, number],
  side: Side,
  broken: boolean,
): Key {
  const key = track[place];
  const shown = shownHandles(track, place);
  const before = shown[which] ?? { time: 0, left: 0, right: 0 };
  const handle: Handle = {
    time: Math.max(seconds, 1e-3),
    left: side === "right" ? before.left : weight,
    right: side === "left" ? before.right : weight,
  };
  const otherName = which === "arrive" ? "leave" : "arrive";
  const other = shown[otherName];
  const turned = !broken && other !== undefined ? opposite(handle, other.time) : (key[otherName] ?? other);
  return which === "arrive" ? withHandles(key, handle, turned) : withHandles(key, turned, handle);
}

function opposite(handle: Handle, seconds: number): Handle {
  const share = -seconds / handle.time;
  return { time: seconds, left: handle.left * share, right: handle.right * share };
}

export function copiedKeys(layer: Layer, refs: readonly KeyRef[]): Clipboard {
  const found = refs.flatMap((ref) => {
    const key = keyAt(layer, ref);
    return key === undefined ? [] : [{ unit: ref.unit, key }];
  });
  const first = Math.min(...found.map(({ key }) => key.time));
  return found.map(({ unit, key }) => ({ unit, key: { ...key, time: key.time - first } }));
}

/** Puts copied keys at a time; those of a single unit may go to another. */
export function pastedKeys(layer: Layer, clipboard: Clipboard, time: number, target: string | null): Edited {
  const single = new Set(clipboard.map(({ unit }) => unit)).size === 1;
  let next = layer;
  const refs = clipboard.map(({ unit, key }) => {
    const name = single && target !== null ? target : unit;
    const placed = { ...key, time: key.time + time };
    next = withTrack(next, name, withKey(next.tracks.get(name) ?? [], placed));
    return { unit: name, time: placed.time };
  });
  return { layer: next, refs };
}
