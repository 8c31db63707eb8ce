// Layers of animation that add up: each has keys of its own, a weight, and may be muted, soloed or locked.

import { sampleTrack, type Track } from "./keys";

export interface Layer {
  readonly name: string;
  /** Units by name. */
  readonly tracks: ReadonlyMap<string, Track>;
  readonly weight: number;
  readonly muted: boolean;
  readonly solo: boolean;
  /** Whether no key of it can be changed. */
  readonly locked: boolean;
  /** Units whose keys in this layer cannot be changed. */
  readonly lockedUnits: ReadonlySet<string>;
}

/** Imported animation, what the server makes of speech and emotion, and the hand's own keys, which nothing replaces. */
export const BASE = "base";
export const SPEECH = "speech";
export const EMOTION = "emotion";
export const HAND = "hand";
export const OWN_LAYERS: readonly string[] = [BASE, SPEECH, EMOTION, HAND];

export function emptyLayer(name: string): Layer {
  return { name, tracks: new Map(), weight: 1, muted: false, solo: false, locked: false, lockedUnits: new Set() };
}

export function emptyLayers(): readonly Layer[] {
  return OWN_LAYERS.map(emptyLayer);
}

export function layerOf(layers: readonly Layer[], name: string): Layer {
  return layers.find((layer) => layer.name === name) ?? emptyLayer(name);
}

/** The layers with one in the place of its namesake, or above the others. */
export function withLayer(layers: readonly Layer[], layer: Layer): readonly Layer[] {
  if (!layers.some((each) => each.name === layer.name)) return [...layers, layer];
  return layers.map((each) => (each.name === layer.name ? layer : each));
}

/** What is heard: soloed layers alone where there are some, else all that are not muted. */
export function audible(layers: readonly Layer[]): readonly Layer[] {
  const solo = layers.filter((layer) => layer.solo);
  return (solo.length > 0 ? solo : layers).filter((layer) => !layer.muted);
}

/** Names of all units that have keys in some layer. */
export function keyedUnits(layers: readonly Layer[]): ReadonlySet<string> {
  return new Set(layers.flatMap((layer) => [...layer.tracks.keys()]));
}

/** The weights of both halves that the audible layers add up to, but for one that is left out. Not clamped. */
export function sumAt(
  layers: readonly Layer[],
  unit: string,
  time: number,
  without: string | null = null,
): [number, number] {
  let [left, right] = [0, 0];
  for (const layer of audible(layers)) {
    const track = layer.name === without ? undefined : layer.tracks.get(unit);
    if (track === undefined || track.length === 0) continue;
    const weights = sampleTrack(track, time);
    left += layer.weight * weights[0];
    right += layer.weight * weights[1];
  }
  return [left, right];
}

/** A layer with another track of a unit; none when there are no keys. */
export function withTrack(layer: Layer, unit: string, track: Track): Layer {
  const tracks = new Map(layer.tracks);
  if (track.length === 0) tracks.delete(unit);
  else tracks.set(unit, track);
  return { ...layer, tracks };
}

/** Why a unit's keys in a layer cannot be changed; null when they can. */
export function lockOf(layer: Layer, unit: string): string | null {
  if (layer.locked) return `The layer ${layer.name} is locked.`;
  return layer.lockedUnits.has(unit) ? `${unit} is locked in the layer ${layer.name}.` : null;
}
