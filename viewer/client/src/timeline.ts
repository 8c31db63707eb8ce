// The animation's place: transport, layers, ruler, sound, phones, and keys or curves below; one clock for all.

import type { Animator } from "./animator";
import { CurveEditor } from "./curve_editor";
import { element } from "./elements";
import { Lanes } from "./lanes";
import { LayerStrip } from "./layer_strip";
import type { EmbeddedSound, SpokenPhone } from "./messages";
import { PhoneLane } from "./phone_lane";
import { Playback, wallClock, type Clock } from "./playback";
import type { Project } from "./project";
import { Ruler } from "./ruler";
import { bytesOf, Sounds } from "./sounds";
import { SpeechPanel } from "./speech_panel";
import { TimeView } from "./time_view";
import "./timeline.css";
import { Transport } from "./transport";
import { WaveLane } from "./wave_lane";

/** Sounds stay open when another head takes the page. */
const OPENED = new Sounds();

export interface TimelineEvents {
  /** Time moved, by playing or by the reader's hand. */
  seeked(time: number): void;
  recording(on: boolean): void;
  say(message: string, wrong?: boolean): void;
  /** What the server calls the head that is shown. */
  head(): string;
  readonly emotions: readonly string[];
  /** Symbols of sounds of speech. */
  readonly phones: readonly string[];
  /** Whether a server is behind the page, which can work on speech. */
  readonly served: boolean;
}

export class Timeline {
  readonly root: HTMLElement;
  readonly curves: CurveEditor;
  readonly speech: SpeechPanel;
  readonly sounds = OPENED;
  time = 0;
  private playing = false;
  /** While playing: where time comes from. */
  private clock: Clock | null = null;
  private readonly playback = new Playback();
  private readonly view = new TimeView(() => this.showSpan());
  private readonly transport: Transport;
  private readonly layers: LayerStrip;
  private readonly ruler: Ruler;
  private readonly wave: WaveLane;
  private readonly phones: PhoneLane;
  private readonly lanes: Lanes;
  private readonly clockFace = element("span", { class: "clock", "aria-hidden": "true" });
  private readonly cursor = element("div", { class: "cursor", "aria-hidden": "true" });
  private drawnSpan = "";
  /** The project, the layer and the sound that are on the page. */
  private shown: readonly unknown[] = [];
  private edits = 0;

  constructor(
    private readonly animator: Animator,
    names: readonly string[],
    private readonly events: TimelineEvents,
  ) {
    this.transport = new Transport(animator, {
      toggled: () => this.toggle(),
      recording: (on) => events.recording(on),
      editor: (curves) => this.showEditor(curves),
      speech: () => this.speech.toggle(),
      zoomed: (way) =>
        way === 0 ? this.view.fit() : way > 0 ? this.view.zoomIn(this.time) : this.view.zoomOut(this.time),
    });
    this.layers = new LayerStrip(animator);
    const scrub = (time: number): void => this.scrub(time);
    this.ruler = new Ruler(this.view, { scrubbed: scrub, stepped: (frames) => this.step(frames) });
    this.wave = new WaveLane(this.view, scrub);
    this.phones = new PhoneLane(
      this.view,
      {
        changed: (phones) => this.phonesMoved(phones),
        refused: (message) => events.say(message, true),
      },
      events.phones,
    );
    this.lanes = new Lanes(animator, this.view);
    this.curves = new CurveEditor(animator, this.view, () => this.time);
    this.speech = new SpeechPanel(
      animator,
      this.sounds,
      {
        say: (message, wrong) => events.say(message, wrong),
        opened: (name, bytes) => this.takeSound(name, bytes),
        head: () => events.head(),
        removed: () => animator.setSound(null, []),
      },
      events.emotions,
      events.served,
    );
    const ruler = element("div", { class: "track-row ruler-row" }, this.clockFace, this.ruler.root);
    const cursor = element("div", { class: "cursor-track", "aria-hidden": "true" }, this.cursor);
    const tracks = element(
      "div",
      { class: "tracks" },
      ruler,
      this.wave.root,
      this.phones.root,
      this.lanes.root,
      this.curves.root,
      cursor,
    );
    this.root = element("section", { class: "timeline", "aria-label": "Animation" });
    this.root.append(this.transport.splitter, this.transport.root, this.layers.root, tracks, this.speech.root);
    if (names.length === 0) this.root.hidden = true;
    this.showEditor(false);
    this.transport.showState(false);
  }

  show(project: Project): void {
    const sound = this.sounds.get(project.sound);
    const state = [project, this.animator.active, sound];
    if (state.every((each, place) => each === this.shown[place])) return this.showTime();
    this.shown = state;
    this.view.setSeconds(project.seconds);
    this.time = Math.min(this.time, project.seconds);
    this.transport.show(project, this.animator.imports);
    this.layers.show(project);
    this.wave.show(sound, sound === null ? (project.sound?.name ?? null) : null);
    this.speech.show();
    this.showSpan();
  }

  toggle(): void {
    if (this.playing) this.pause();
    else this.start();
  }

  start(): void {
    if (this.playing) return;
    if (this.time >= this.animator.project.seconds - 1e-9) this.time = 0;
    this.playing = true;
    this.transport.showState(true);
    this.startClock(this.time);
    const step = (): void => {
      if (!this.playing || this.clock === null) return;
      const { seconds, loop } = this.animator.project;
      const next = this.clock();
      if (next >= seconds && loop) this.startClock(next % seconds);
      else if (next >= seconds) this.pause();
      this.moveTo(loop ? next % seconds : next);
      requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  pause(): void {
    if (!this.playing) return;
    this.playing = false;
    this.clock = null;
    this.playback.stop();
    this.transport.showState(false);
  }

  /** Goes to a time; while playing, the sound goes along. */
  seek(time: number): void {
    this.moveTo(time);
    if (this.playing) this.startClock(this.time);
  }

  step(frames: number): void {
    this.pause();
    const { fps } = this.animator.project;
    this.seek((Math.round(this.time * fps) + frames) / fps);
  }

  /** Takes a sound file as the animation's sound. Throws an Error when it is none. */
  async openSound(file: File): Promise<void> {
    await this.takeSound(file.name, await file.arrayBuffer());
  }

  /** A sound that came with the page. */
  async openEmbedded(embedded: EmbeddedSound | null): Promise<void> {
    if (embedded === null) return;
    try {
      const { reference } = await this.sounds.add(embedded.name, bytesOf(embedded.content));
      if (this.animator.project.sound === null) this.animator.setSound(reference, embedded.phones, true);
      else this.show(this.animator.project);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      this.events.say(`${embedded.name}: ${error.message}`, true);
    }
  }

  /** Brings back the sound of the project at hand; says so when it must be opened again. */
  async recallSound(): Promise<void> {
    const { sound } = this.animator.project;
    if (sound === null) return;
    if ((await this.sounds.recall(sound)) !== null) this.show(this.animator.project);
    else this.events.say(`Open ${sound.name} to hear it.`);
  }

  dispose(): void {
    this.pause();
    this.speech.run.cancel();
    this.playback.close();
    for (const part of [this.ruler, this.wave, this.curves]) part.dispose();
  }

  private async takeSound(name: string, bytes: ArrayBuffer): Promise<void> {
    const { reference } = await this.sounds.add(name, bytes);
    this.pause();
    const again = this.animator.project.sound?.fingerprint === reference.fingerprint;
    if (again) this.show(this.animator.project);
    else this.animator.setSound(reference, []);
    this.events.say(`${name}: ${reference.seconds.toFixed(2)} s of sound.`);
    if (!again && this.events.served && !this.speech.root.open) this.speech.toggle();
  }

  private phonesMoved(phones: readonly SpokenPhone[]): void {
    const tag = `phones ${this.edits++}`;
    this.animator.commit({ phones }, tag);
    if (this.events.served) void this.speech.run.again(this.animator.project.phones, tag);
  }

  private startClock(from: number): void {
    const wall = wallClock(from);
    this.clock = wall;
    this.playback.stop();
    const sound = this.sounds.get(this.animator.project.sound);
    if (sound === null) return;
    void this.playback.start(sound.buffer, wall).then((clock) => {
      if (clock !== null && this.playing && this.clock === wall) this.clock = clock;
    });
  }

  private scrub(time: number): void {
    this.pause();
    this.seek(time);
    const sound = this.sounds.get(this.animator.project.sound);
    if (sound !== null) this.playback.grain(sound.buffer, this.time);
  }

  private moveTo(time: number): void {
    this.time = Math.min(Math.max(time, 0), this.animator.project.seconds);
    this.view.follow(this.time);
    this.showTime();
    this.events.seeked(this.time);
  }

  private showEditor(curves: boolean): void {
    this.curves.root.hidden = !curves;
    this.lanes.root.hidden = curves;
    this.root.classList.toggle("tall", curves);
    this.transport.showEditor(curves);
    this.showSpan();
  }

  private showSpan(): void {
    const { project } = this.animator;
    this.phones.show(project.phones, this.events.served && this.sounds.get(project.sound) !== null);
    if (!this.lanes.root.hidden) this.lanes.show();
    if (!this.curves.root.hidden) this.curves.show();
    const span = `${this.view.start} ${this.view.end}`;
    if (span !== this.drawnSpan) {
      this.drawnSpan = span;
      this.ruler.draw();
      this.wave.draw();
    }
    this.showTime();
  }

  private showTime(): void {
    const { seconds } = this.animator.project;
    this.clockFace.textContent = `${this.time.toFixed(2)} / ${seconds.toFixed(2)} s`;
    this.ruler.showTime(this.time, seconds);
    this.cursor.hidden = !this.view.shows(this.time);
    this.cursor.style.left = this.view.percent(this.time);
  }
}
