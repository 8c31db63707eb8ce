// Where a sound is opened or recorded, and the server is asked to make the face say it.

import type { Animator } from "./animator";
import { button, element, range, setRange } from "./elements";
import { icon } from "./icons";
import type { SpeechResult } from "./messages";
import { Microphone } from "./microphone";
import type { SpeechSettings } from "./project";
import { isSound, type Sounds } from "./sounds";
import { SpeechRun } from "./speech_run";

const SOURCES: Readonly<Record<string, string>> = {
  alignment: "Your text was laid over the sound",
  recognition: "The words were recognised",
  synthesis: "The text was spoken by espeak-ng",
  "timing file": "The phones are where you put them",
  "spread text": "Your text was spread over the sound",
  loudness: "The mouth follows loudness",
  none: "No speech was found",
};

export interface SpeechPanelEvents {
  /** What the server calls the head that is shown. */
  head(): string;
  say(message: string, wrong?: boolean): void;
  opened(name: string, bytes: ArrayBuffer): Promise<void>;
  removed(): void;
}

export class SpeechPanel {
  readonly root: HTMLDialogElement;
  readonly run: SpeechRun;
  private readonly microphone = new Microphone();
  private readonly title = element("p", { class: "sound-name" });
  private readonly text = element("textarea", {
    rows: 3,
    placeholder: "What is said, in English. Left empty, the words are recognised.",
    "aria-label": "Text",
  });
  private readonly emotion = element("select", { "aria-label": "Emotion" });
  private readonly intensity = range({ min: 0, max: 1, step: 0.01, "aria-label": "Intensity of the emotion" });
  private readonly level = element("output", {});
  private said: SpeechSettings | null = null;
  private readonly animate: HTMLButtonElement;
  private readonly record: HTMLButtonElement;
  private readonly remove: HTMLButtonElement;
  private readonly busy = element("div", { class: "busy", hidden: true });
  private readonly stage = element("span", { role: "status" });
  private readonly report = element("div", { class: "report", role: "status" });

  constructor(
    private readonly animator: Animator,
    private readonly sounds: Sounds,
    private readonly events: SpeechPanelEvents,
    emotions: readonly string[],
    served: boolean,
  ) {
    this.run = new SpeechRun(
      animator,
      sounds,
      {
        staged: (stage) => this.showStage(stage),
        said: (result, thinning) => this.showReport(result, thinning),
        failed: (message) => this.events.say(message, true),
      },
      () => events.head(),
    );
    const file = element("input", {
      type: "file",
      accept: "audio/*,.wav,.flac,.ogg,.mp3,.m4a,.opus",
      hidden: true,
      tabindex: -1,
      "aria-hidden": "true",
    });
    file.addEventListener("change", () => {
      const chosen = file.files?.[0];
      file.value = "";
      if (chosen !== undefined) void this.open(chosen);
    });
    const open = button("Open sound", { title: "A wav, flac, ogg, mp3 or m4a file" }, () => file.click());
    this.record = button("Record", { class: "with-icon", "aria-pressed": "false" }, () => void this.toggleRecording());
    this.record.prepend(icon("microphone"));
    this.record.disabled = !Microphone.available;
    this.record.title = Microphone.available ? "Record by the microphone" : "This page may not use a microphone";
    this.remove = button("Remove", { title: "Take the sound away; the keys stay" }, () => events.removed());
    const close = button("", { class: "small", "aria-label": "Close" }, () => this.root.close());
    close.append(icon("remove"));
    this.animate = button("Animate", { class: "primary" }, () => void this.start());
    this.emotion.append(
      element("option", { value: "" }, "no emotion"),
      ...emotions.map((name) => element("option", { value: name }, name)),
    );
    this.intensity.addEventListener("input", () => {
      setRange(this.intensity, Number(this.intensity.value));
      this.level.textContent = Number(this.intensity.value).toFixed(2);
    });
    const cancel = button("Cancel", {}, () => this.run.cancel());
    this.busy.append(element("progress", { "aria-label": "Working on the speech" }), this.stage, cancel);
    this.root = element("dialog", { class: "speech-panel", "aria-labelledby": "speech-heading" });
    this.root.append(
      element("header", {}, element("h2", { id: "speech-heading" }, "Sound and speech"), close),
      this.title,
      element("div", { class: "cluster" }, open, this.record, this.remove, file),
    );
    if (served) {
      const feeling = element("div", { class: "feeling" }, this.emotion, this.intensity, this.level);
      this.root.append(this.text, feeling, element("div", { class: "cluster" }, this.animate), this.busy, this.report);
    } else this.root.append(element("p", { class: "hint" }, "mesh4d-viewer animates speech; this page plays it."));
    this.text.addEventListener("input", () => this.show());
    this.root.addEventListener("keydown", (event) => event.key === "Escape" && this.root.close());
  }

  toggle(): void {
    if (this.root.open) this.root.close();
    else this.root.show();
  }

  show(): void {
    const { sound, said } = this.animator.project;
    if (said !== this.said) this.showSettings(said);
    const loaded = this.sounds.get(sound);
    this.title.textContent =
      sound === null
        ? "No sound yet. Without one the text is spoken by espeak-ng."
        : `${sound.name}, ${sound.seconds.toFixed(2)} s${loaded === null ? " (open it again to hear it)" : ""}`;
    this.remove.disabled = sound === null;
    this.animate.disabled = loaded === null && (sound !== null || this.text.value.trim() === "");
    this.animate.textContent = sound === null ? "Speak the text" : "Animate";
  }

  /** Fields as the last run had them, or as a project that was opened says. */
  private showSettings(said: SpeechSettings): void {
    this.said = said;
    this.text.value = said.text;
    this.emotion.value = said.emotion;
    setRange(this.intensity, said.intensity);
    this.level.textContent = said.intensity.toFixed(2);
  }

  private async open(file: File): Promise<void> {
    await this.guarded(file.name, async () => {
      if (!isSound(file)) throw new Error("expected a sound file");
      await this.events.opened(file.name, await file.arrayBuffer());
    });
  }

  private async toggleRecording(): Promise<void> {
    await this.guarded("Recording", async () => {
      if (this.microphone.recording) {
        const bytes = await this.microphone.stop();
        await this.events.opened("recording", bytes);
      } else await this.microphone.start();
    });
    const on = this.microphone.recording;
    this.record.setAttribute("aria-pressed", String(on));
    this.record.replaceChildren(icon("microphone"), on ? "Stop" : "Record");
  }

  private async guarded(name: string, action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      this.events.say(`${name}: ${error.message}`, true);
    }
  }

  private async start(): Promise<void> {
    this.report.replaceChildren();
    const text = this.text.value.trim();
    const emotion = this.emotion.value;
    await this.run.start({ text, emotion, intensity: Number(this.intensity.value), phones: [] });
  }

  private showStage(stage: string | null): void {
    this.busy.hidden = stage === null;
    this.stage.textContent = stage ?? "";
  }

  private showReport(result: SpeechResult, thinning: string): void {
    const sure = result.confidence >= 0.75 ? "sure" : result.confidence >= 0.4 ? "fairly sure" : "not sure";
    const rows = [
      `${SOURCES[result.source] ?? result.source}: ${sure} (${Math.round(100 * result.confidence)} %).`,
      result.words === "" ? "" : `“${result.words}”`,
      result.open_contacts > 0 ? `${result.open_contacts} lip closures stay open on this head.` : "",
      ...result.notes,
      `${thinning}.`,
    ].filter((row) => row !== "");
    this.report.replaceChildren(...rows.map((row) => element("p", {}, row)));
    this.events.say(rows[0]);
  }
}
