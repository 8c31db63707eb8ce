// Sounds that the reader opened, decoded, by the fingerprint that a project knows them by.

import type { SoundReference } from "./project";
import { keepSound, keptSound } from "./sound_vault";
import { peaksOf, type Peaks } from "./waveform";

export interface LoadedSound {
  readonly reference: SoundReference;
  readonly buffer: AudioBuffer;
  readonly peaks: Peaks;
}

/** Longer ones are refused: their samples would fill the browser's memory. */
const LONGEST_S = 1800;
const SOUND_FILES = /\.(wav|flac|ogg|oga|opus|mp3|m4a|aac|webm|weba)$/i;
const DECODE_HZ = 48_000;

export function isSound(file: File): boolean {
  return SOUND_FILES.test(file.name) || file.type.startsWith("audio/");
}

export class Sounds {
  private readonly loaded = new Map<string, LoadedSound>();

  /** The sound of a project; null when it was not opened here. */
  get(reference: SoundReference | null): LoadedSound | null {
    return reference === null ? null : (this.loaded.get(reference.fingerprint) ?? null);
  }

  /** Decodes a file and keeps it. Throws an Error when it is no sound. */
  async add(name: string, bytes: ArrayBuffer): Promise<LoadedSound> {
    const fingerprint = fingerprintOf(new Uint8Array(bytes));
    const before = this.loaded.get(fingerprint);
    if (before !== undefined) return before;
    let buffer: AudioBuffer;
    try {
      buffer = await new OfflineAudioContext(1, 1, DECODE_HZ).decodeAudioData(bytes.slice(0));
    } catch (error) {
      if (!(error instanceof DOMException)) throw error;
      throw new Error("no sound that this browser can play (wav, mp3, ogg, flac, m4a)");
    }
    if (buffer.duration > LONGEST_S) throw new Error(`a sound may last ${LONGEST_S / 60} minutes at most`);
    const reference = { name, seconds: buffer.duration, fingerprint };
    const sound = { reference, buffer, peaks: peaksOf(monoOf(buffer), buffer.sampleRate) };
    this.loaded.set(fingerprint, sound);
    void keepSound(fingerprint, name, bytes);
    return sound;
  }

  /** A project's sound, from here or out of the browser's store; null when it is in neither. */
  async recall(reference: SoundReference): Promise<LoadedSound | null> {
    const loaded = this.get(reference);
    if (loaded !== null) return loaded;
    const kept = await keptSound(reference.fingerprint);
    return kept === null ? null : this.add(kept.name, kept.bytes);
  }
}

/** What base64 stands for. */
export function bytesOf(base64: string): ArrayBuffer {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0)).buffer as ArrayBuffer;
}

/** The mean of all channels. */
export function monoOf(buffer: AudioBuffer): Float32Array {
  const mono = buffer.getChannelData(0).slice();
  for (let channel = 1; channel < buffer.numberOfChannels; channel++) {
    buffer.getChannelData(channel).forEach((value, place) => (mono[place] += value));
  }
  if (buffer.numberOfChannels > 1) mono.forEach((_, place) => (mono[place] /= buffer.numberOfChannels));
  return mono;
}

/** Of a file's bytes (two hashes in the manner of FNV-1a, and the length): to know it again, not to trust it. */
export function fingerprintOf(bytes: Uint8Array): string {
  let [one, other] = [0x811c9dc5, 0x9747b28c];
  for (const byte of bytes) {
    one = Math.imul(one ^ byte, 0x01000193);
    other = Math.imul(other ^ byte, 0x01000193) + 1;
  }
  const hex = (value: number): string => (value >>> 0).toString(16).padStart(8, "0");
  return `${hex(one)}${hex(other)}-${bytes.length}`;
}
