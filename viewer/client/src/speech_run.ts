// One run of speech at a time: a later one ends the one before, and what comes back goes into the speech layers.

import type { Animator } from "./animator";
import type { SpeechRequest, SpeechResult, SpokenPhone } from "./messages";
import type { Sounds } from "./sounds";
import { SpeechClient } from "./speech_client";

export interface SpeechRunEvents {
  /** What is being done; null when nothing is. */
  staged(stage: string | null): void;
  said(result: SpeechResult, thinning: string): void;
  failed(message: string): void;
}

type Wanted = Omit<SpeechRequest, "sound">;

export class SpeechRun {
  private readonly client = new SpeechClient();
  private abort: AbortController | null = null;

  constructor(
    private readonly animator: Animator,
    private readonly sounds: Sounds,
    private readonly events: SpeechRunEvents,
    private readonly head: () => string,
  ) {}

  cancel(): void {
    this.abort?.abort();
  }

  /** Runs again with phones that the reader has moved, with the text and emotion of the last run. */
  async again(phones: readonly SpokenPhone[], tag: string): Promise<void> {
    await this.start({ ...this.animator.project.said, phones }, tag);
  }

  async start(wanted: Wanted, tag: string | null = null): Promise<void> {
    this.cancel();
    const abort = (this.abort = new AbortController());
    const { sound, phones } = this.animator.project;
    const loaded = this.sounds.get(sound);
    this.events.staged("starting");
    try {
      const spoken = await this.client.animate(this.head(), loaded, wanted, abort.signal, (stage) =>
        this.events.staged(stage),
      );
      const own = spoken.sound === null ? null : await this.sounds.add("spoken text", spoken.sound);
      const now = this.animator.project;
      if (abort.signal.aborted) return;
      if (now.sound?.fingerprint !== sound?.fingerprint || (wanted.phones.length > 0 && now.phones !== phones)) {
        return this.events.failed("The speech is left as it is: sound or phones were changed meanwhile.");
      }
      const { text, emotion, intensity } = wanted;
      const heard = own?.reference ?? sound;
      const thinning = this.animator.takeSpeech(spoken.result, heard, { text, emotion, intensity }, tag);
      this.events.said(spoken.result, thinning);
    } catch (error) {
      if (abort.signal.aborted) return;
      if (!(error instanceof Error)) throw error;
      this.events.failed(`Speech: ${error.message}`);
    } finally {
      if (this.abort === abort) {
        this.abort = null;
        this.events.staged(null);
      }
    }
  }
}
