// All that changes the animation: keys in the layer at hand, layers, and what is imported. Locks are kept here.

import type { History } from "./history";
import { changedKeys, onFrame, type KeyRef } from "./key_edits";
import { withKey, type Key } from "./keys";
import {
  audible,
  BASE,
  emptyLayer,
  EMOTION,
  HAND,
  layerOf,
  lockOf,
  OWN_LAYERS,
  SPEECH,
  sumAt,
  withLayer,
  withTrack,
  type Layer,
} from "./layers";
import type { DenseCurves, SpeechResult, SpokenPhone } from "./messages";
import { addWeight, columnOf, restPose, type Pose } from "./pose";
import {
  limitsWith,
  tracksOfFrames,
  withFrames,
  type Project,
  type SoundReference,
  type SpeechSettings,
} from "./project";
import { largestError, thinned, thinningText, TOLERANCE } from "./thinning";

export interface AnimatorHost {
  readonly names: readonly string[];
  readonly history: History<Project>;
  /** Seconds. */
  time(): number;
  /** The pose that the project gives now. */
  posed(): Pose;
  /** The project is another one. */
  changed(): void;
  say(message: string, wrong?: boolean): void;
}

export class Animator {
  /** The layer that keys go to and that the editors show. */
  active = HAND;
  /** The layer that imported curves replace. */
  imports = BASE;
  /** How far imported curves may be off when they are thinned. */
  tolerance = TOLERANCE;

  constructor(private readonly host: AnimatorHost) {}

  get project(): Project {
    return this.host.history.now;
  }

  get layer(): Layer {
    return layerOf(this.project.layers, this.active);
  }

  commit(change: Partial<Project>, tag: string | null = null): void {
    this.host.history.commit({ ...this.project, ...change }, tag);
    this.host.changed();
  }

  settle(): void {
    this.host.history.settle();
  }

  /** Chooses the layer at hand; no change of the project. */
  choose(layer: string): void {
    this.active = layer;
    this.host.changed();
  }

  /** Sets keys now so that the layers add up to a pose; units that are locked are told and left out. */
  keyPose(pose: Pose, units: readonly string[], tag: string | null): void {
    const { names } = this.host;
    const { project, layer } = this;
    const refusal = this.unheard(layer) ?? (layer.locked ? `The layer ${layer.name} is locked.` : null);
    if (refusal !== null) return this.host.say(refusal, true);
    const locked = units.filter((unit) => layer.lockedUnits.has(unit));
    if (locked.length > 0) this.host.say(`Locked in the layer ${layer.name}: ${locked.join(", ")}.`, true);
    const time = onFrame(this.host.time(), project);
    let next = layer;
    for (const name of units) {
      const unit = names.indexOf(name);
      if (unit < 0 || locked.includes(name)) continue;
      const others = sumAt(project.layers, name, time, layer.name);
      const [left, right] = [pose[unit] - others[0], pose[names.length + unit] - others[1]];
      const weight = layer.weight;
      const key: Key = { time, left: left / weight, right: right / weight, ease: "bezier" };
      next = withTrack(next, name, withKey(next.tracks.get(name) ?? [], key));
    }
    if (next === layer) return;
    const layers = withLayer(project.layers, next);
    this.commit({ layers, pose, follows: true, limits: limitsWith(project.limits, pose) }, tag);
  }

  /** A key of everything that moves, at the present time. */
  keyNow(): void {
    const { names } = this.host;
    const pose = this.host.posed();
    const moving = names.filter(
      (name, unit) => this.layer.tracks.has(name) || pose[unit] !== 0 || pose[names.length + unit] !== 0,
    );
    if (moving.length === 0) return this.host.say("Nothing moves: no key was set.");
    this.keyPose(pose, moving, null);
  }

  /**
   * Changes keys of the layer at hand, or of `from`, which is how that layer was when a gesture began.
   * Returns where the keys are afterwards; null when a lock forbids it.
   */
  edit(
    refs: readonly KeyRef[],
    change: (key: Key) => Key | null,
    tag: string | null = null,
    from: Layer = this.layer,
  ): readonly KeyRef[] | null {
    if (refs.length === 0) return refs;
    if (!this.free(from, refs)) return null;
    const edited = changedKeys(from, refs, change);
    this.replace(edited.layer, tag);
    return edited.refs;
  }

  /** Whether all these keys may be changed; says why not. */
  free(layer: Layer, refs: readonly KeyRef[]): boolean {
    const refusal = refs.map((ref) => lockOf(layer, ref.unit)).find((each) => each !== null) ?? null;
    if (refusal !== null) this.host.say(refusal, true);
    return refusal === null;
  }

  /** Takes another version of a layer, whose keys move the face from now on. */
  replace(layer: Layer, tag: string | null = null): void {
    const weights = [...layer.tracks.values()].flatMap((track) => track.flatMap((key) => [key.left, key.right]));
    const limits = layer.name === EMOTION ? this.project.limits : limitsWith(this.project.limits, positive(weights));
    this.commit({ layers: withLayer(this.project.layers, layer), follows: true, limits }, tag);
  }

  /** Changes a layer's settings. */
  set(name: string, change: Partial<Layer>, tag: string | null = null): void {
    const layer = { ...layerOf(this.project.layers, name), ...change };
    this.commit({ layers: withLayer(this.project.layers, layer), follows: true }, tag);
  }

  setUnitLocked(unit: string, locked: boolean): void {
    const lockedUnits = new Set(this.layer.lockedUnits);
    if (locked) lockedUnits.add(unit);
    else lockedUnits.delete(unit);
    this.set(this.active, { lockedUnits });
  }

  addLayer(): void {
    const taken = new Set(this.project.layers.map((layer) => layer.name));
    let number = 1;
    while (taken.has(`layer ${number}`)) number++;
    const layer = emptyLayer(`layer ${number}`);
    this.active = layer.name;
    this.commit({ layers: [...this.project.layers, layer] });
  }

  /** Takes away a layer of the reader's own; empties one of the four. */
  removeLayer(name: string): void {
    const layer = layerOf(this.project.layers, name);
    if (layer.locked) return this.host.say(`The layer ${name} is locked.`, true);
    if (OWN_LAYERS.includes(name)) return this.replace({ ...layer, tracks: new Map() });
    if (this.active === name) this.active = HAND;
    if (this.imports === name) this.imports = BASE;
    this.commit({ layers: this.project.layers.filter((each) => each.name !== name) });
  }

  renameLayer(from: string, to: string): void {
    const name = to.trim().slice(0, 24);
    const layers = this.project.layers;
    if (name === "" || OWN_LAYERS.includes(from) || layers.some((layer) => layer.name === name)) return;
    if (this.active === from) this.active = name;
    if (this.imports === from) this.imports = name;
    this.commit({ layers: layers.map((layer) => (layer.name === from ? { ...layer, name } : layer)) });
  }

  /** Thins curves of the layer at hand, and says what became of them. */
  thin(units: readonly string[]): void {
    const { layer, tolerance } = this;
    if (
      !this.free(
        layer,
        units.map((unit) => ({ unit, time: 0 })),
      )
    )
      return;
    let [next, from, to, error] = [layer, 0, 0, 0];
    for (const unit of units) {
      const track = layer.tracks.get(unit) ?? [];
      const sparse = track.length < 3 ? track : thinned(track, tolerance);
      next = withTrack(next, unit, sparse);
      [from, to, error] = [from + track.length, to + sparse.length, Math.max(error, largestError(track, sparse))];
    }
    this.replace(next);
    this.host.say(`${units.join(", ")}: ${thinningText({ from, to, tolerance, error })}.`);
  }

  /** Puts frames into the chosen layer, thinned, and says what became of them. Throws an Error for a locked layer. */
  importFrames(times: readonly number[], poses: readonly Pose[]): string {
    if (layerOf(this.project.layers, this.imports).locked) throw new Error(`the layer ${this.imports} is locked`);
    const { names } = this.host;
    const { thinning } = tracksOfFrames(names, times, poses, "linear", this.tolerance);
    this.commit(withFrames(this.project, names, times, poses, "linear", this.imports, this.tolerance));
    return `in the layer ${this.imports}: ${thinningText(thinning)}`;
  }

  /** @param silently whether this is how the page began, and no step to be undone. */
  setSound(sound: SoundReference | null, phones: readonly SpokenPhone[], silently = false): void {
    const { fps, layers } = this.project;
    const needed = sound === null ? 0 : onFrameAfter(sound.seconds, fps);
    const keyed = layers.some((layer) => layer.tracks.size > 0);
    const seconds = keyed || sound === null ? Math.max(this.project.seconds, needed) : needed;
    if (!silently) return this.commit({ sound, phones, seconds });
    this.host.history.now = { ...this.project, sound, phones, seconds };
    this.host.changed();
  }

  /** Puts what the server made of speech into its two layers; the others stay as they are. Says how well they fit. */
  takeSpeech(result: SpeechResult, sound: SoundReference | null, said: SpeechSettings, tag: string | null): string {
    const { tolerance } = this;
    const speech = this.tracks(result.speech, result.fps, tolerance);
    const emotion = this.tracks(result.emotion, result.fps, tolerance);
    let { layers } = this.project;
    for (const [name, { tracks }] of [
      [SPEECH, speech],
      [EMOTION, emotion],
    ] as const) {
      if (!layerOf(layers, name).locked) layers = withLayer(layers, { ...layerOf(layers, name), tracks });
      else this.host.say(`The layer ${name} is locked and stays as it was.`, true);
    }
    const seconds = Math.max(this.project.seconds, onFrameAfter(result.seconds, this.project.fps));
    this.commit({ layers, phones: result.phones, sound, said, seconds, follows: true }, tag);
    return thinningText({
      from: speech.thinning.from + emotion.thinning.from,
      to: speech.thinning.to + emotion.thinning.to,
      tolerance,
      error: Math.max(speech.thinning.error, emotion.thinning.error),
    });
  }

  private tracks(curves: DenseCurves, fps: number, tolerance: number) {
    const { names } = this.host;
    const columns = curves.names.map((name) => columnOf(name, names));
    const poses = curves.rows.map((row) => {
      const pose = restPose(names.length);
      row.forEach((weight, place) => {
        const column = columns[place];
        if (column !== null) addWeight(pose, column, weight);
      });
      return pose;
    });
    const times = poses.map((_, frame) => frame / fps);
    return tracksOfFrames(names, times, poses, "linear", tolerance);
  }

  private unheard(layer: Layer): string | null {
    if (layer.weight === 0) return `The layer ${layer.name} has the weight 0: a key there would not show.`;
    if (audible([...withLayer(this.project.layers, layer)]).some((each) => each.name === layer.name)) return null;
    return `The layer ${layer.name} is not heard (muted, or another is solo): a key there would not show.`;
  }
}

function positive(weights: readonly number[]): readonly number[] {
  return weights.filter((weight) => weight > 0);
}

/** Seconds that hold a whole number of frames and all of the sound. */
function onFrameAfter(seconds: number, fps: number): number {
  return Math.max(Math.ceil(seconds * fps - 1e-6) / fps, 1 / fps);
}
