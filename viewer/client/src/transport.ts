// Play, key, record, loop, frame rate, length; which editor is shown, how much time is in sight, and how tall it is.

import type { Animator } from "./animator";
import { button, element } from "./elements";
import { icon, type IconName } from "./icons";
import type { Project } from "./project";

export interface TransportEvents {
  toggled(): void;
  recording(on: boolean): void;
  editor(curves: boolean): void;
  speech(): void;
  /** 1 closer, -1 further, 0 everything. */
  zoomed(way: number): void;
}

const TALL_STEP_PX = 16;
const [LEAST_TALL_PX, MOST_TALL_PX] = [72, 640];

export class Transport {
  readonly root: HTMLElement;
  /** Dragged to make the timeline taller. */
  readonly splitter = element("div", {
    class: "splitter",
    role: "separator",
    tabindex: 0,
    "aria-label": "Height of the timeline",
    "aria-orientation": "horizontal",
  });
  private readonly play: HTMLButtonElement;
  private readonly loop: HTMLButtonElement;
  private readonly fps = numberField("Frames per second", 1, 240, 1);
  private readonly seconds = numberField("Length in seconds", 0.1, 3600, 0.1);
  private readonly keys: HTMLButtonElement;
  private readonly curves: HTMLButtonElement;
  private readonly imports = element("select", {
    class: "import-to",
    "aria-label": "Imported curves go to",
    title: "The layer whose keys opened curves and sequences replace",
  });
  private tall: number | null = null;

  constructor(animator: Animator, events: TransportEvents) {
    this.play = button("", { class: "play" }, () => events.toggled());
    const key = button(
      "Key",
      { class: "key-now", title: "Set a key of every unit that moves, in the layer at hand (K)" },
      () => animator.keyNow(),
    );
    const record = button("Record", { class: "record", "aria-pressed": "false" }, () => {
      const on = record.getAttribute("aria-pressed") !== "true";
      record.setAttribute("aria-pressed", String(on));
      events.recording(on);
    });
    record.title = "While on, moving a slider sets a key at the present time, in the layer at hand";
    this.loop = button("", { class: "square", "aria-pressed": "true", "aria-label": "Loop", title: "Loop" }, () =>
      animator.commit({ loop: !animator.project.loop }),
    );
    this.loop.append(icon("loop"));
    this.fps.input.addEventListener("change", () => animator.commit({ fps: this.fps.value() }));
    this.seconds.input.addEventListener("change", () => animator.commit({ seconds: this.seconds.value() }));
    this.imports.addEventListener("change", () => (animator.imports = this.imports.value));
    this.keys = button("Keys", { title: "Keys of every unit, a lane each" }, () => events.editor(false));
    this.curves = button("Curves", { title: "Curves of weight over time" }, () => events.editor(true));
    const zoom = (name: IconName, label: string, way: number): HTMLButtonElement => {
      const made = button("", { class: "square", "aria-label": label, title: label }, () => events.zoomed(way));
      made.append(icon(name));
      return made;
    };
    const speech = button("Sound", { class: "with-icon", title: "Open or record a sound; make the face say it" }, () =>
      events.speech(),
    );
    speech.prepend(icon("sound"));
    this.root = element(
      "div",
      { class: "transport" },
      this.play,
      element("div", { class: "cluster" }, key, record, this.loop),
      element("div", { class: "cluster" }, this.fps.label("fps"), this.seconds.label("s")),
      element("div", { class: "cluster" }, speech, this.imports),
      element(
        "div",
        { class: "cluster end" },
        element("div", { class: "switch", role: "group", "aria-label": "Editor" }, this.keys, this.curves),
        zoom("zoomOut", "Show more time", -1),
        zoom("fit", "Show all time", 0),
        zoom("zoomIn", "Show less time", 1),
      ),
    );
    this.listen();
  }

  /** @param imports the layer that imports go to. */
  show(project: Project, imports: string): void {
    const names = project.layers.map(({ name }) => name);
    if (names.length !== this.imports.length || names.some((name, at) => this.imports.options[at].value !== name)) {
      this.imports.replaceChildren(...names.map((name) => element("option", { value: name }, `Import: ${name}`)));
    }
    this.imports.value = imports;
    this.loop.setAttribute("aria-pressed", String(project.loop));
    this.fps.show(project.fps);
    this.seconds.show(project.seconds);
  }

  showState(playing: boolean): void {
    const label = playing ? "Pause" : "Play";
    this.play.setAttribute("aria-label", label);
    this.play.title = `${label} (space)`;
    this.play.classList.toggle("playing", playing);
  }

  showEditor(curves: boolean): void {
    this.keys.setAttribute("aria-pressed", String(!curves));
    this.curves.setAttribute("aria-pressed", String(curves));
  }

  private listen(): void {
    let from: { y: number; tall: number } | null = null;
    const { splitter } = this;
    splitter.addEventListener("pointerdown", (event) => {
      splitter.setPointerCapture(event.pointerId);
      from = { y: event.clientY, tall: this.present() };
    });
    splitter.addEventListener(
      "pointermove",
      (event) => from !== null && this.resize(from.tall + from.y - event.clientY),
    );
    splitter.addEventListener("pointerup", () => (from = null));
    splitter.addEventListener("dblclick", () => this.resize(null));
    splitter.addEventListener("keydown", (event) => {
      const way = { ArrowUp: 1, ArrowDown: -1 }[event.key];
      if (way === undefined) return;
      event.preventDefault();
      this.resize(this.present() + way * TALL_STEP_PX);
    });
    splitter.setAttribute("aria-valuemin", String(LEAST_TALL_PX));
    splitter.setAttribute("aria-valuemax", String(MOST_TALL_PX));
    splitter.setAttribute("aria-valuenow", "150");
  }

  /** Pixels of the editor now. */
  private present(): number {
    const shown = splitterHost(this.splitter)?.querySelector(".lanes:not([hidden]), .curve-editor:not([hidden])");
    return this.tall ?? shown?.clientHeight ?? 150;
  }

  private resize(tall: number | null): void {
    this.tall = tall === null ? null : Math.round(Math.min(Math.max(tall, LEAST_TALL_PX), MOST_TALL_PX));
    const host = splitterHost(this.splitter);
    if (this.tall === null) host?.style.removeProperty("--tall");
    else host?.style.setProperty("--tall", `${this.tall}px`);
    this.splitter.setAttribute("aria-valuenow", String(this.tall ?? 150));
  }
}

function splitterHost(splitter: HTMLElement): HTMLElement | null {
  return splitter.parentElement;
}

/** A small number input that ignores what it cannot read. */
function numberField(name: string, low: number, high: number, step: number) {
  const input = element("input", { type: "number", min: low, max: high, step, "aria-label": name });
  let last = low;
  return {
    input,
    value: (): number => {
      const typed = input.valueAsNumber;
      return Number.isFinite(typed) ? Math.min(Math.max(typed, low), high) : last;
    },
    show: (value: number): void => {
      last = value;
      if (document.activeElement !== input) input.value = String(Number(value.toFixed(2)));
    },
    label: (unit: string): HTMLElement => element("label", { class: "number", title: name }, input, unit),
  };
}
