// Keyframes of one unit: both halves at once, and how the curve leaves each key and arrives at the next.

export const EASES = ["linear", "bezier", "step"] as const;
export type Ease = (typeof EASES)[number];

/** Where a handle of a Bezier lies from its key: seconds away (never negative) and weights of both halves. */
export interface Handle {
  readonly time: number;
  readonly left: number;
  readonly right: number;
}

export interface Key {
  /** Seconds. */
  readonly time: number;
  readonly left: number;
  readonly right: number;
  /** How the curve goes on from here. */
  readonly ease: Ease;
  /** The handle before the key, where the hand has set it; else it follows from the neighbours. */
  readonly arrive?: Handle;
  /** The handle after the key. */
  readonly leave?: Handle;
}

/** Ascending in time. */
export type Track = readonly Key[];

/** Two keys closer than this are one. */
const SAME_TIME = 1e-4;

/** The weights of both halves at a time; before the first and after the last key they hold. */
export function sampleTrack(track: Track, time: number): [number, number] {
  const after = firstAfter(track, time);
  if (after === 0) return [track[0].left, track[0].right];
  const from = track[after - 1];
  if (after === track.length || from.ease === "step") return [from.left, from.right];
  const to = track[after];
  const span = to.time - from.time;
  const share = (time - from.time) / span;
  if (from.ease === "linear") {
    return [from.left + share * (to.left - from.left), from.right + share * (to.right - from.right)];
  }
  const [leave, arrive] = segmentHandles(track, after - 1);
  const t = parameterAt(share, leave.time / span, 1 - arrive.time / span);
  const value = (side: HalfName): number =>
    bezier(from[side], from[side] + leave[side], to[side] + arrive[side], to[side], t);
  return [value("left"), value("right")];
}

/** The track with a key, which takes the place of one at the same time. */
export function withKey(track: Track, key: Key): Track {
  const others = track.filter((each) => Math.abs(each.time - key.time) > SAME_TIME);
  return [...others, key].sort((one, other) => one.time - other.time);
}

export function withoutKey(track: Track, time: number): Track {
  return track.filter((each) => Math.abs(each.time - time) > SAME_TIME);
}

/** The handles after the key at a place and before the next one, within the time between them. */
export function segmentHandles(track: Track, place: number): [Handle, Handle] {
  const [from, to] = [track[place], track[place + 1]];
  const span = to.time - from.time;
  return [
    within(from.leave ?? automatic(track, place, span / 3), span),
    within(to.arrive ?? automatic(track, place + 1, -span / 3), span),
  ];
}

function firstAfter(track: Track, time: number): number {
  let [low, high] = [0, track.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (track[middle].time > time) high = middle;
    else low = middle + 1;
  }
  return low;
}

type HalfName = "left" | "right";

/** Slope at a key, per second: level at extremes, so that a curve never leaves the range of its keys (Fritsch-Carlson). */
function slope(track: Track, place: number, side: HalfName): number {
  if (place === 0 || place === track.length - 1) return 0;
  const [before, at, after] = [track[place - 1], track[place], track[place + 1]];
  const rise = (at[side] - before[side]) / (at.time - before.time);
  const fall = (after[side] - at[side]) / (after.time - at.time);
  return rise * fall <= 0 ? 0 : (2 * rise * fall) / (rise + fall);
}

/** A third of the way along the slope; with two such handles time runs evenly along the Bezier. */
function automatic(track: Track, place: number, way: number): Handle {
  return { time: Math.abs(way), left: way * slope(track, place, "left"), right: way * slope(track, place, "right") };
}

/** A handle that reaches no further in time than the segment: so that every time has one weight. */
function within(handle: Handle, span: number): Handle {
  if (handle.time <= span) return handle;
  const share = span / handle.time;
  return { time: span, left: handle.left * share, right: handle.right * share };
}

function bezier(p0: number, p1: number, p2: number, p3: number, t: number): number {
  const rest = 1 - t;
  return rest * rest * rest * p0 + 3 * rest * rest * t * p1 + 3 * rest * t * t * p2 + t * t * t * p3;
}

/** Where along a Bezier from 0 to 1, whose handles lie at two shares of the time, a share of the time is reached. */
function parameterAt(share: number, first: number, second: number): number {
  if (Math.abs(first - 1 / 3) < 1e-12 && Math.abs(second - 2 / 3) < 1e-12) return share;
  let [low, high, t] = [0, 1, share];
  for (let step = 0; step < 60; step++) {
    const error = bezier(0, first, second, 1, t) - share;
    if (Math.abs(error) < 1e-13) break;
    if (error > 0) high = t;
    else low = t;
    const rest = 1 - t;
    const speed = 3 * rest * rest * first + 6 * rest * t * (second - first) + 3 * t * t * (1 - second);
    const next = t - error / speed;
    t = speed > 1e-9 && next > low && next < high ? next : (low + high) / 2;
  }
  return t;
}
