// Sound as the clock: while one plays, the time of the animation is the time of what is heard.

/** How much is heard of the sound at each place that is scrubbed over. */
const GRAIN_S = 0.08;
const FADE_S = 0.008;

/** The animation's time. */
export type Clock = () => number;

export function wallClock(from: number): Clock {
  const begun = performance.now();
  return () => from + Math.max(performance.now() - begun, 0) / 1000;
}

export class Playback {
  private context: AudioContext | null = null;
  private source: AudioBufferSourceNode | null = null;
  /** Counts starts and stops, so that a start that is overtaken while the sound card wakes does nothing. */
  private turn = 0;

  /**
   * Plays a sound from the time that `from` gives once the sound card is awake. Returns its clock; null where a page may
   * not sound before the reader touches it, or when something else was started or stopped meanwhile.
   */
  async start(buffer: AudioBuffer, from: Clock): Promise<Clock | null> {
    this.stop();
    const turn = this.turn;
    const context = this.awake();
    if (context.state !== "running") await context.resume();
    if (turn !== this.turn || context.state !== "running") return null;
    const time = from();
    const begun = context.currentTime;
    const delay = (context.outputLatency ?? 0) + (context.baseLatency ?? 0);
    if (time < buffer.duration) {
      this.source = context.createBufferSource();
      this.source.buffer = buffer;
      this.source.connect(context.destination);
      this.source.start(begun, time);
    }
    return () => time + Math.max(context.currentTime - begun - delay, 0);
  }

  stop(): void {
    this.turn++;
    this.source?.stop();
    this.source?.disconnect();
    this.source = null;
  }

  /** A moment of the sound, for scrubbing. */
  grain(buffer: AudioBuffer, time: number): void {
    const context = this.awake();
    if (context.state !== "running") void context.resume();
    if (time >= buffer.duration) return;
    const source = context.createBufferSource();
    const gain = context.createGain();
    const now = context.currentTime;
    gain.gain.setValueAtTime(0, now);
    gain.gain.linearRampToValueAtTime(1, now + FADE_S);
    gain.gain.setValueAtTime(1, now + GRAIN_S - FADE_S);
    gain.gain.linearRampToValueAtTime(0, now + GRAIN_S);
    source.buffer = buffer;
    source.connect(gain).connect(context.destination);
    source.start(now, time, GRAIN_S);
  }

  close(): void {
    this.stop();
    void this.context?.close();
    this.context = null;
  }

  private awake(): AudioContext {
    this.context ??= new AudioContext({ latencyHint: "interactive" });
    return this.context;
  }
}
