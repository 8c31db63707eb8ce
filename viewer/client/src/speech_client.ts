// Asks the server what a mouth does when it says a sound or a text.

import type { SpeechRequest, SpeechResult } from "./messages";
import { address, asked, workedOn } from "./jobs";
import { bytesOf, monoOf, type LoadedSound } from "./sounds";
import { wavFile } from "./waveform";

/** What the recogniser works at. */
const RATE_HZ = 16_000;

export interface Spoken {
  readonly result: SpeechResult;
  /** What the server spoke itself, as a WAV file; null when it was given a sound. */
  readonly sound: ArrayBuffer | null;
}

export class SpeechClient {
  private sent: { readonly fingerprint: string; readonly id: string } | null = null;

  /**
   * @param head what the server calls the head that is to speak.
   * Throws an Error that says what is wrong, or Cancelled.
   */
  async animate(
    head: string,
    sound: LoadedSound | null,
    request: Omit<SpeechRequest, "sound">,
    signal: AbortSignal,
    said: (stage: string) => void,
  ): Promise<Spoken> {
    const kept = this.sent !== null;
    try {
      return await this.run(head, sound, request, signal, said);
    } catch (error) {
      if (!kept || !(error instanceof Error) || !error.message.includes("send the sound again")) throw error;
      this.sent = null; // the server keeps one sound, and another page has sent its own
      return this.run(head, sound, request, signal, said);
    }
  }

  private async run(
    head: string,
    sound: LoadedSound | null,
    request: Omit<SpeechRequest, "sound">,
    signal: AbortSignal,
    said: (stage: string) => void,
  ): Promise<Spoken> {
    const id = sound === null ? "" : await this.send(sound, signal, said);
    const body = new Blob([JSON.stringify({ ...request, sound: id } satisfies SpeechRequest)]);
    const name = sound?.reference.name ?? "the text";
    const job = await workedOn({ route: "speech", name, query: { head }, body, result: "result.json", signal, said });
    const result = (await job.answer.json()) as SpeechResult;
    const own = result.sound === "" ? null : bytesOf(result.sound);
    void fetch(address(`speech/${job.id}`), { method: "DELETE" });
    return { result, sound: own };
  }

  private async send(sound: LoadedSound, signal: AbortSignal, said: (stage: string) => void): Promise<string> {
    const { fingerprint } = sound.reference;
    if (this.sent?.fingerprint === fingerprint) return this.sent.id;
    said("sending the sound");
    const body = new Blob([wavFile(await resampled(sound.buffer), RATE_HZ)]);
    const { id } = await asked<{ id: string }>(address("sounds"), { method: "POST", body, signal });
    this.sent = { fingerprint, id };
    return id;
  }
}

/** One channel at the recogniser's rate. */
async function resampled(buffer: AudioBuffer): Promise<Float32Array> {
  if (buffer.sampleRate === RATE_HZ) return monoOf(buffer);
  const context = new OfflineAudioContext(1, Math.max(Math.ceil(buffer.duration * RATE_HZ), 1), RATE_HZ);
  const source = context.createBufferSource();
  source.buffer = buffer;
  source.connect(context.destination);
  source.start();
  return (await context.startRendering()).getChannelData(0);
}
