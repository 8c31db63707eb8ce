// The pad of valence and arousal: where its knob lies, the face shows; the rule is that of aublend.emotion_pad.

import { element } from "./elements";
import type { PadPoint } from "./messages";

/** Action unit weights at a point: a mixture of the two faces whose directions enclose it, at most in full. */
export function padWeights(faces: readonly PadPoint[], valence: number, arousal: number): Record<string, number> {
  const weights: Record<string, number> = {};
  for (let place = 0; place < faces.length; place++) {
    const [one, other] = [faces[place], faces[(place + 1) % faces.length]];
    const corner = one.valence * other.arousal - one.arousal * other.valence;
    const alpha = (valence * other.arousal - arousal * other.valence) / corner;
    const beta = (one.valence * arousal - one.arousal * valence) / corner;
    if (!(alpha >= 0 && beta >= 0)) continue;
    const share = 1 / Math.max(alpha + beta, 1);
    for (const [face, part] of [
      [one, alpha],
      [other, beta],
    ] as const) {
      if (part === 0) continue;
      for (const [unit, weight] of Object.entries(face.units)) {
        weights[unit] = (weights[unit] ?? 0) + share * part * weight;
      }
    }
    return weights;
  }
  return weights;
}

const STEP = 0.05;

export class EmotionPad {
  readonly root: HTMLElement;
  private readonly knob = element("span", { class: "knob", "aria-hidden": "true" });
  private valence = 0;
  private arousal = 0;

  constructor(
    private readonly faces: readonly PadPoint[],
    private readonly changed: (weights: Record<string, number>) => void,
    private readonly settled: () => void,
  ) {
    this.root = element("div", { class: "pad", role: "slider", tabindex: 0, "aria-label": "Valence and arousal" });
    this.root.title = "Left to right: unpleasant to pleasant. Down to up: calm to aroused. Arrow keys move the point.";
    this.root.setAttribute("aria-valuemin", "-1");
    this.root.setAttribute("aria-valuemax", "1");
    for (const face of faces) {
      const dot = element("span", { class: "dot", "aria-hidden": "true", title: face.name });
      place(dot, face.valence, face.arousal);
      this.root.append(dot);
    }
    this.root.append(
      element("span", { class: "axis east", "aria-hidden": "true" }, "pleasant"),
      element("span", { class: "axis north", "aria-hidden": "true" }, "aroused"),
      this.knob,
    );
    this.root.addEventListener("pointerdown", (event) => {
      this.root.setPointerCapture(event.pointerId);
      this.drag(event);
    });
    this.root.addEventListener("pointermove", (event) => {
      if (this.root.hasPointerCapture(event.pointerId)) this.drag(event);
    });
    this.root.addEventListener("pointerup", () => this.settled());
    this.root.addEventListener("keydown", (event) => this.onKey(event));
    this.showKnob(false);
  }

  /** The face no longer shows the pad's point. */
  release(): void {
    this.showKnob(false);
  }

  moveTo(valence: number, arousal: number): void {
    this.valence = clamp(valence);
    this.arousal = clamp(arousal);
    this.changed(padWeights(this.faces, this.valence, this.arousal));
    this.showKnob(true);
  }

  private drag(event: PointerEvent): void {
    const box = this.root.getBoundingClientRect();
    this.moveTo(((event.clientX - box.left) / box.width) * 2 - 1, 1 - ((event.clientY - box.top) / box.height) * 2);
  }

  private onKey(event: KeyboardEvent): void {
    const moves: Record<string, [number, number]> = {
      ArrowLeft: [-STEP, 0],
      ArrowRight: [STEP, 0],
      ArrowUp: [0, STEP],
      ArrowDown: [0, -STEP],
    };
    const move = moves[event.key];
    if (move === undefined && event.key !== "0" && event.key !== "Delete") return;
    event.preventDefault();
    if (move === undefined) this.moveTo(0, 0);
    else this.moveTo(this.valence + move[0], this.arousal + move[1]);
  }

  private showKnob(shown: boolean): void {
    this.root.classList.toggle("used", shown);
    place(this.knob, this.valence, this.arousal);
    this.root.setAttribute("aria-valuenow", this.valence.toFixed(2));
    const text = `valence ${this.valence.toFixed(2)}, arousal ${this.arousal.toFixed(2)}`;
    this.root.setAttribute("aria-valuetext", shown ? text : `${text}, not shown`);
  }
}

function place(dot: HTMLElement, valence: number, arousal: number): void {
  dot.style.left = `${(valence + 1) * 50}%`;
  dot.style.top = `${(1 - arousal) * 50}%`;
}

function clamp(value: number): number {
  return Math.min(Math.max(value, -1), 1);
}
