// Keyframes of one unit: both halves at once, and how the curve leaves each key.

export const EASES = ["linear", "bezier", "step"] as const;
export type Ease = (typeof EASES)[number];

export interface Key {
  /** Seconds. */
  readonly time: number;
  readonly left: number;
  readonly right: number;
  readonly ease: Ease;
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
  const share = (time - from.time) / (to.time - from.time);
  const value = (side: "left" | "right"): number =>
    from.ease === "linear"
      ? from[side] + share * (to[side] - from[side])
      : hermite(
          from[side],
          to[side],
          slope(track, after - 1, side) * (to.time - from.time),
          slope(track, after, side) * (to.time - from.time),
          share,
        );
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

/** Drops keys that lie within `tolerance` of the line between their neighbours (Ramer, Douglas and Peucker). */
export function thinned(track: Track, tolerance: number): Track {
  const kept = new Set([0, track.length - 1]);
  const spans = [[0, track.length - 1]];
  for (let span = spans.pop(); span !== undefined; span = spans.pop()) {
    const [first, last] = span;
    const [from, to] = [track[first], track[last]];
    let [worst, place] = [tolerance, -1];
    for (let each = first + 1; each < last; each++) {
      const share = (track[each].time - from.time) / (to.time - from.time);
      const error = Math.max(
        Math.abs(from.left + share * (to.left - from.left) - track[each].left),
        Math.abs(from.right + share * (to.right - from.right) - track[each].right),
      );
      if (error > worst) [worst, place] = [error, each];
    }
    if (place < 0) continue;
    kept.add(place);
    spans.push([first, place], [place, last]);
  }
  return track.filter((_, place) => kept.has(place));
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

/** Slope at a key, per second: level at extremes, so that a curve never leaves the range of its keys (Fritsch-Carlson). */
function slope(track: Track, place: number, side: "left" | "right"): number {
  if (place === 0 || place === track.length - 1) return 0;
  const [before, at, after] = [track[place - 1], track[place], track[place + 1]];
  const rise = (at[side] - before[side]) / (at.time - before.time);
  const fall = (after[side] - at[side]) / (after.time - at.time);
  return rise * fall <= 0 ? 0 : (2 * rise * fall) / (rise + fall);
}

/** The cubic Bezier whose handles lie a third of the way along the slopes. */
function hermite(from: number, to: number, leave: number, arrive: number, t: number): number {
  const [square, cube] = [t * t, t * t * t];
  return (
    (2 * cube - 3 * square + 1) * from +
    (cube - 2 * square + t) * leave +
    (3 * square - 2 * cube) * to +
    (cube - square) * arrive
  );
}
