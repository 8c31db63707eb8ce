// The project as a file: names and numbers only, so that it opens on any head.

import { EASES, type Handle, type Key, type Track } from "./keys";
import { emptyLayer, OWN_LAYERS, type Layer } from "./layers";
import type { SpokenPhone } from "./messages";
import { restPose } from "./pose";
import type { Project, SoundReference, SpeechSettings } from "./project";

const FORMAT = "facet4d viewer project 2";
const MOST_LAYERS = 32;

export function projectText(project: Project, units: readonly string[]): string {
  const pose: Record<string, readonly [number, number]> = {};
  units.forEach((name, unit) => {
    const both = [project.pose[unit], project.pose[units.length + unit]] as const;
    if (both[0] !== 0 || both[1] !== 0) pose[name] = both;
  });
  const layers = project.layers.map((layer) => ({
    ...layer,
    tracks: Object.fromEntries(layer.tracks),
    lockedUnits: [...layer.lockedUnits],
  }));
  const { follows, seconds, fps, loop, limits, sound, phones, said } = project;
  const unlinked = [...project.unlinked];
  return JSON.stringify({
    ...{ format: FORMAT, pose, layers, follows, seconds, fps, loop, unlinked, limits },
    ...{ sound, phones, said },
  });
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
  const entries = list(file["layers"], "layers", MOST_LAYERS);
  const read = entries.map((entry, place) => readLayer(entry, `layers[${place}]`, units, missing));
  if (new Set(read.map(({ name }) => name)).size < read.length) throw new Error("layers: two have the same name");
  const lacking = OWN_LAYERS.filter((name) => !read.some((layer) => layer.name === name)).map(emptyLayer);
  const [low, high] = list(file["limits"], "limits", 2).map((value) => number(value, "limits"));
  const project: Project = {
    pose,
    layers: [...lacking, ...read],
    follows: file["follows"] === true,
    seconds: Math.min(Math.max(number(file["seconds"], "seconds"), 0.1), 3600),
    fps: Math.min(Math.max(number(file["fps"], "fps"), 1), 240),
    loop: file["loop"] === true,
    unlinked: new Set(names(file["unlinked"])),
    limits: [Math.min(number(low, "limits"), 0), Math.max(number(high, "limits"), 1)],
    sound: file["sound"] === null ? null : readSound(file["sound"]),
    phones: list(file["phones"], "phones", 100_000).map((entry, place) => readPhone(entry, `phones[${place}]`)),
    said: readSettings(file["said"]),
  };
  return { project, missing: [...missing] };
}

function readLayer(value: unknown, place: string, units: readonly string[], missing: Set<string>): Layer {
  const entry = record(value, place);
  const tracks = new Map<string, Track>();
  for (const [name, keys] of Object.entries(record(entry["tracks"], `${place}.tracks`))) {
    const track = list(keys, `${place}.tracks.${name}`, 1_000_000);
    if (!units.includes(name)) missing.add(name);
    else if (track.length > 0) {
      const read = track.map((each, row) => readKey(each, `${place}.tracks.${name}[${row}]`));
      tracks.set(
        name,
        read.sort((one, other) => one.time - other.time),
      );
    }
  }
  const name = String(entry["name"] ?? "").slice(0, 40);
  if (name === "") throw new Error(`${place}.name: expected a name`);
  return {
    name,
    tracks,
    weight: Math.min(Math.max(number(entry["weight"], `${place}.weight`), 0), 2),
    muted: entry["muted"] === true,
    solo: entry["solo"] === true,
    locked: entry["locked"] === true,
    lockedUnits: new Set(names(entry["lockedUnits"])),
  };
}

function readKey(entry: unknown, place: string): Key {
  const key = record(entry, place);
  const ease = EASES.find((each) => each === key["ease"]);
  if (ease === undefined) throw new Error(`${place}.ease: expected one of ${EASES.join(", ")}`);
  const time = number(key["time"], `${place}.time`);
  if (time < 0) throw new Error(`${place}.time: expected seconds from 0`);
  const made: Key = {
    time,
    left: number(key["left"], `${place}.left`),
    right: number(key["right"], `${place}.right`),
    ease,
  };
  const handles: { arrive?: Handle; leave?: Handle } = {};
  if (key["arrive"] !== undefined) handles.arrive = readHandle(key["arrive"], `${place}.arrive`);
  if (key["leave"] !== undefined) handles.leave = readHandle(key["leave"], `${place}.leave`);
  return { ...made, ...handles };
}

function readHandle(entry: unknown, place: string): Handle {
  const handle = record(entry, place);
  const [time, left, right] = ["time", "left", "right"].map((field) => number(handle[field], `${place}.${field}`));
  if (time < 0) throw new Error(`${place}.time: expected seconds from 0`);
  return { time, left, right };
}

function readSound(value: unknown): SoundReference {
  const sound = record(value, "sound");
  const seconds = Math.max(number(sound["seconds"], "sound.seconds"), 0);
  return { name: String(sound["name"]), seconds, fingerprint: String(sound["fingerprint"]) };
}

function readSettings(value: unknown): SpeechSettings {
  const said = record(value, "said");
  const intensity = Math.min(Math.max(number(said["intensity"], "said.intensity"), 0), 1);
  return { text: String(said["text"]), emotion: String(said["emotion"]), intensity };
}

function readPhone(value: unknown, place: string): SpokenPhone {
  const phone = record(value, place);
  const [start_s, end_s] = [number(phone["start_s"], `${place}.start_s`), number(phone["end_s"], `${place}.end_s`)];
  if (start_s < 0 || end_s < start_s) throw new Error(`${place}: expected 0 <= start <= end`);
  const [symbol, word] = [String(phone["symbol"]).slice(0, 8), String(phone["word"] ?? "").slice(0, 80)];
  const stress = number(phone["stress"], `${place}.stress`);
  return { symbol, start_s, end_s, word, stress, confidence: number(phone["confidence"], `${place}.confidence`) };
}

function record(value: unknown, place: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error(`${place}: no object`);
  return value as Record<string, unknown>;
}

function list(value: unknown, place: string, most: number): unknown[] {
  if (!Array.isArray(value) || value.length > most) throw new Error(`${place}: expected a list of at most ${most}`);
  return value;
}

function names(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

function number(value: unknown, place: string): number {
  if (typeof value !== "number" || !Number.isFinite(value)) throw new Error(`${place}: expected a number`);
  return value;
}
