// Draws curves, keys, handles and what is chosen of them; knows where each of them is on the screen.

import { colorsOf, prepared } from "./canvas";
import { shownHandles, type KeyRef } from "./key_edits";
import { sampleTrack, type Key, type Track } from "./keys";
import { rulerStep, type TimeView } from "./time_view";

/** Colours of the style sheet that curves take in turn. */
export const CURVE_COLORS = 8;

export interface ShownCurve {
  readonly unit: string;
  readonly track: Track;
  /** Number of its colour. */
  readonly color: number;
  readonly locked: boolean;
  readonly focused: boolean;
}

export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

export interface Scene {
  readonly curves: readonly ShownCurve[];
  readonly chosen: readonly KeyRef[];
  /** Lowest and highest weight in sight. */
  readonly range: readonly [number, number];
  /** What all layers give of the focused unit. */
  readonly result: ((time: number) => number) | null;
  readonly select: Box | null;
}

const PAD_PX = 4;
/** So many marks on 800 pixels stand on each other; they are drawn smaller. */
const CROWDED = 120;

export class CurveCanvas {
  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly view: TimeView,
  ) {}

  private range: readonly [number, number] = [0, 1];

  x(time: number): number {
    return this.view.share(time) * this.canvas.clientWidth;
  }

  y(weight: number): number {
    const [low, high] = this.range;
    const tall = this.canvas.clientHeight - 2 * PAD_PX;
    return PAD_PX + ((high - weight) / (high - low)) * tall;
  }

  time(x: number): number {
    return this.view.time(x / this.canvas.clientWidth);
  }

  weight(y: number): number {
    const [low, high] = this.range;
    return high - ((y - PAD_PX) / (this.canvas.clientHeight - 2 * PAD_PX)) * (high - low);
  }

  /** The box around chosen keys, in pixels; null for fewer than two or when it has no extent. */
  around(scene: Scene): Box | null {
    const keys = chosenKeys(scene);
    if (keys.length < 2) return null;
    const xs = keys.map((key) => this.x(key.time));
    const ys = keys.flatMap((key) => [this.y(key.left), this.y(key.right)]);
    return {
      left: Math.min(...xs) - 10,
      right: Math.max(...xs) + 10,
      top: Math.min(...ys) - 10,
      bottom: Math.max(...ys) + 10,
    };
  }

  draw(scene: Scene): void {
    this.range = scene.range;
    const ready = prepared(this.canvas);
    if (ready === null) return;
    const { pen, width, height } = ready;
    const color = colorsOf(this.canvas);
    this.grid(pen, width, height, color);
    if (scene.result !== null) this.path(pen, width, scene.result, color("soft"), 1, [2, 3]);
    const marks = scene.curves.reduce(
      (sum, { track }) => sum + track.filter((key) => this.view.shows(key.time)).length,
      0,
    );
    const crowded = marks > CROWDED * (width / 800);
    for (const curve of scene.curves) {
      const ink = color(`curve-${curve.color}`);
      pen.globalAlpha = curve.locked ? 0.45 : 1;
      const wide = curve.focused ? 2.25 : 1.5;
      if (curve.track.some((key) => Math.abs(key.left - key.right) > 1e-6)) {
        this.path(pen, width, (time) => sampleTrack(curve.track, time)[1], ink, wide, [6, 4]);
      }
      this.path(pen, width, (time) => sampleTrack(curve.track, time)[0], ink, wide, []);
      this.keys(pen, curve, scene, ink, color, crowded ? 2 : 4);
      pen.globalAlpha = 1;
    }
    this.boxes(pen, scene, color);
  }

  private grid(pen: CanvasRenderingContext2D, width: number, height: number, color: (name: string) => string): void {
    const [low, high] = this.range;
    const span = this.view.end - this.view.start;
    const step = rulerStep(span / width, 64);
    pen.fillStyle = color("line");
    for (let mark = Math.ceil(this.view.start / step - 1e-9); mark * step <= this.view.end; mark++) {
      pen.fillRect(Math.round(this.x(mark * step)), 0, 1, height);
    }
    pen.font = `10px ${getComputedStyle(this.canvas).fontFamily}`;
    const rise = [0.1, 0.25, 0.5, 1].find((each) => (each / (high - low)) * height >= 28) ?? 1;
    for (let mark = Math.ceil(low / rise - 1e-9); mark * rise <= high; mark++) {
      const y = Math.round(this.y(mark * rise));
      pen.fillStyle = color(mark === 0 ? "track" : "line");
      pen.fillRect(0, y, width, 1);
      pen.fillStyle = color("soft");
      if (y > 10) pen.fillText((mark * rise).toFixed(rise < 0.5 ? 2 : 1), 3, y - 2);
    }
  }

  private path(
    pen: CanvasRenderingContext2D,
    width: number,
    at: (time: number) => number,
    ink: string,
    wide: number,
    dash: number[],
  ): void {
    pen.beginPath();
    for (let x = 0; x <= width; x += 1.5) {
      const y = this.y(at(this.time(x)));
      if (x === 0) pen.moveTo(x, y);
      else pen.lineTo(x, y);
    }
    pen.strokeStyle = ink;
    pen.lineWidth = wide;
    pen.setLineDash(dash);
    pen.stroke();
    pen.setLineDash([]);
  }

  private keys(
    pen: CanvasRenderingContext2D,
    curve: ShownCurve,
    scene: Scene,
    ink: string,
    color: (name: string) => string,
    size: number,
  ): void {
    const chosen = chosenTimes(scene, curve.unit);
    curve.track.forEach((key, place) => {
      if (!this.view.shows(key.time)) return;
      const picked = chosen.has(key.time.toFixed(4));
      if (picked && !curve.locked) this.handles(pen, curve.track, place, ink);
      for (const weight of key.left === key.right ? [key.left] : [key.left, key.right]) {
        this.mark(pen, this.x(key.time), this.y(weight), key.ease, picked ? 5 : size);
        pen.fillStyle = picked ? color("ink") : ink;
        pen.fill();
        if (size < 4 && !picked) continue;
        pen.strokeStyle = color("paper");
        pen.lineWidth = 1.25;
        pen.stroke();
      }
    });
  }

  private handles(pen: CanvasRenderingContext2D, track: Track, place: number, ink: string): void {
    for (const { x, y, side } of this.handlePlaces(track, place)) {
      pen.beginPath();
      pen.moveTo(this.x(track[place].time), this.y(track[place][side]));
      pen.lineTo(x, y);
      pen.strokeStyle = ink;
      pen.lineWidth = 1;
      pen.stroke();
      pen.beginPath();
      pen.arc(x, y, 3.5, 0, 2 * Math.PI);
      pen.fillStyle = ink;
      pen.fill();
    }
  }

  /** Where the handles of a key are. */
  handlePlaces(
    track: Track,
    place: number,
  ): { which: "arrive" | "leave"; side: "left" | "right"; x: number; y: number }[] {
    const key = track[place];
    const shown = shownHandles(track, place);
    const sides = key.left === key.right ? (["left"] as const) : (["left", "right"] as const);
    return (["arrive", "leave"] as const).flatMap((which) => {
      const handle = shown[which];
      if (handle === undefined) return [];
      const time = key.time + (which === "arrive" ? -handle.time : handle.time);
      return sides.map((side) => ({ which, side, x: this.x(time), y: this.y(key[side] + handle[side]) }));
    });
  }

  private mark(pen: CanvasRenderingContext2D, x: number, y: number, ease: Key["ease"], size: number): void {
    pen.beginPath();
    if (ease === "bezier") pen.arc(x, y, size, 0, 2 * Math.PI);
    else if (ease === "step") pen.rect(x - size + 0.5, y - size + 0.5, 2 * size - 1, 2 * size - 1);
    else {
      const reach = size + 1;
      pen.moveTo(x - reach, y);
      pen.lineTo(x, y - reach);
      pen.lineTo(x + reach, y);
      pen.lineTo(x, y + reach);
      pen.closePath();
    }
  }

  private boxes(pen: CanvasRenderingContext2D, scene: Scene, color: (name: string) => string): void {
    const around = this.around(scene);
    pen.strokeStyle = color("accent");
    pen.lineWidth = 1;
    if (around !== null) {
      pen.setLineDash([3, 3]);
      pen.strokeRect(around.left, around.top, around.right - around.left, around.bottom - around.top);
      pen.setLineDash([]);
      pen.fillStyle = color("accent");
      for (const { x, y } of grips(around)) pen.fillRect(x - 3, y - 3, 6, 6);
    }
    if (scene.select === null) return;
    const { left, top, right, bottom } = scene.select;
    pen.globalAlpha = 0.15;
    pen.fillStyle = color("accent");
    pen.fillRect(left, top, right - left, bottom - top);
    pen.globalAlpha = 1;
    pen.strokeRect(left + 0.5, top + 0.5, right - left, bottom - top);
  }
}

export function chosenKeys(scene: Scene): readonly Key[] {
  return scene.curves.flatMap(({ unit, track }) => {
    const chosen = chosenTimes(scene, unit);
    return chosen.size === 0 ? [] : track.filter((key) => chosen.has(key.time.toFixed(4)));
  });
}

function chosenTimes(scene: Scene, unit: string): ReadonlySet<string> {
  return new Set(scene.chosen.flatMap((ref) => (ref.unit === unit ? ref.time.toFixed(4) : [])));
}

/** Where the box around chosen keys is taken to scale them: its sides' middles. */
export function grips(box: Box): readonly { readonly edge: keyof Box; readonly x: number; readonly y: number }[] {
  const [x, y] = [(box.left + box.right) / 2, (box.top + box.bottom) / 2];
  return [
    { edge: "left", x: box.left, y },
    { edge: "right", x: box.right, y },
    { edge: "top", x, y: box.top },
    { edge: "bottom", x, y: box.bottom },
  ];
}
