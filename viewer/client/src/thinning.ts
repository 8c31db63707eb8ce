// Dense curves as few keys: what lies close enough to the line between its neighbours is no key.

import { sampleTrack, type Track } from "./keys";

/** Weights that a thinned curve may be off by, where nobody says otherwise: a fifth of what an eye sees on a slider. */
export const TOLERANCE = 2e-3;

/** What thinning did: in how many keys, and how far the worst frame is off. */
export interface Thinning {
  readonly from: number;
  readonly to: number;
  readonly tolerance: number;
  readonly error: number;
}

/** Drops keys that lie within `tolerance` of the line between those that stay (Ramer, Douglas and Peucker). */
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

/** How far, at most, a curve is off at the keys of another. */
export function largestError(dense: Track, sparse: Track): number {
  return dense.reduce((worst, key) => {
    const [left, right] = sampleTrack(sparse, key.time);
    return Math.max(worst, Math.abs(left - key.left), Math.abs(right - key.right));
  }, 0);
}

/** The result in words. */
export function thinningText({ from, to, tolerance, error }: Thinning): string {
  const count = (value: number): string => value.toLocaleString("en");
  const off = error === 0 ? "exactly" : `within ${error.toFixed(4)} (tolerance ${tolerance})`;
  return `${count(to)} keys for ${count(from)}, ${off}`;
}
