// What the pointer does on the curves: chooses, moves, scales by the box around, pulls handles, draws a box.

import { grips, type Box, type CurveCanvas, type Scene } from "./curve_canvas";
import { movedBy, pulled, scaledBy, type KeyRef } from "./key_edits";
import { sampleTrack, withKey, type Key } from "./keys";
import { withTrack, type Layer } from "./layers";
import type { Side } from "./pose";

const REACH_PX = 9;
const TOUCH_REACH_PX = 18;
const CURVE_REACH_PX = 7;

export interface GestureHost {
  scene(): Scene;
  chosen(): readonly KeyRef[];
  side(): Side;
  layer(): Layer;
  choose(refs: readonly KeyRef[]): void;
  focus(unit: string): void;
  focused(): string | null;
  /** Changes keys of the layer as it was when the gesture began. */
  edit(refs: readonly KeyRef[], change: (key: Key) => Key | null, from: Layer): boolean;
  free(refs: readonly KeyRef[]): boolean;
  shape(layer: Layer): void;
  settled(): void;
  frame(time: number): number;
  add(unit: string, time: number, weight: number | null): void;
  redraw(): void;
}

type Drag = (x: number, y: number, event: PointerEvent) => void;

export class CurveGestures {
  /** The box that is being drawn. */
  select: Box | null = null;
  private drag: Drag | null = null;

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly picture: CurveCanvas,
    private readonly host: GestureHost,
  ) {
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => {
      const [x, y] = this.at(event);
      if (this.drag !== null) this.drag(x, y, event);
      else canvas.style.cursor = this.cursor(x, y);
    });
    for (const end of ["pointerup", "pointercancel"] as const) canvas.addEventListener(end, () => this.up());
    canvas.addEventListener("dblclick", (event) => {
      const [x, y] = this.at(event);
      if (this.keyAt(x, y, REACH_PX) !== null) return;
      const unit = this.curveAt(x, y);
      const front = unit ?? host.focused();
      if (front !== null) host.add(front, host.frame(picture.time(x)), unit === null ? picture.weight(y) : null);
    });
  }

  get busy(): boolean {
    return this.drag !== null;
  }

  private at(event: MouseEvent): [number, number] {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  private down(event: PointerEvent): void {
    if (event.button !== 0) return;
    this.canvas.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    const [x, y] = this.at(event);
    const reach = event.pointerType === "touch" ? TOUCH_REACH_PX : REACH_PX;
    this.drag =
      this.pull(x, y, reach) ??
      this.scale(x, y) ??
      this.move(x, y, reach, event.shiftKey) ??
      this.front(x, y) ??
      this.draw(x, y, event.shiftKey);
  }

  private up(): void {
    if (this.drag === null) return;
    this.drag = null;
    this.select = null;
    this.host.settled();
    this.host.redraw();
  }

  /** On a handle of a chosen key. */
  private pull(x: number, y: number, reach: number): Drag | null {
    const layer = this.host.layer();
    for (const curve of this.host.scene().curves) {
      for (const ref of this.host.chosen()) {
        const place =
          ref.unit === curve.unit ? curve.track.findIndex((key) => Math.abs(key.time - ref.time) < 1e-4) : -1;
        if (place < 0) continue;
        const key = curve.track[place];
        const found = this.picture
          .handlePlaces(curve.track, place)
          .find((handle) => Math.hypot(handle.x - x, handle.y - y) <= reach);
        if (found === undefined || Math.hypot(this.picture.x(key.time) - x, this.picture.y(key[found.side]) - y) < 4)
          continue;
        if (!this.host.free([ref])) return () => {};
        const side = key.left === key.right ? this.host.side() : found.side;
        const ahead = found.which === "leave" ? 1 : -1;
        return (nextX, nextY, event) => {
          const offset = [
            ahead * (this.picture.time(nextX) - key.time),
            this.picture.weight(nextY) - key[found.side],
          ] as const;
          const made = pulled(curve.track, place, found.which, offset, side, event.altKey);
          this.host.shape(withTrack(layer, curve.unit, withKey(curve.track, made)));
        };
      }
    }
    return null;
  }

  /** On the middle of a side of the box around chosen keys. */
  private scale(x: number, y: number): Drag | null {
    const around = this.picture.around(this.host.scene());
    const grip = around === null ? undefined : grips(around).find((each) => Math.hypot(each.x - x, each.y - y) <= 8);
    if (around === null || grip === undefined) return null;
    const [layer, refs, side] = [this.host.layer(), this.host.chosen(), this.host.side()];
    const times = refs.map(({ time }) => time);
    const [first, last] = [Math.min(...times), Math.max(...times)];
    const [low, high] = [this.picture.weight(around.bottom - 10), this.picture.weight(around.top + 10)];
    return (nextX, nextY) => {
      if (grip.edge === "left" || grip.edge === "right") {
        const [pivot, moving] = grip.edge === "right" ? [first, last] : [last, first];
        if (last - first < 1e-6) return;
        const to = this.host.frame(this.picture.time(nextX - (grip.edge === "right" ? 10 : -10)));
        const factor = Math.max((to - pivot) / (moving - pivot), 1e-3);
        this.host.edit(refs, scaledBy([pivot, factor], [0, 1], side), layer);
      } else {
        const [pivot, moving] = grip.edge === "top" ? [low, high] : [high, low];
        if (high - low < 1e-6) return;
        const to = this.picture.weight(nextY + (grip.edge === "top" ? 10 : -10));
        this.host.edit(refs, scaledBy([0, 1], [pivot, (to - pivot) / (moving - pivot)], side), layer);
      }
    };
  }

  /** On a key: chooses it and moves all that are chosen. */
  private move(x: number, y: number, reach: number, adding: boolean): Drag | null {
    const hit = this.keyAt(x, y, reach);
    if (hit === null) return null;
    const same = (ref: KeyRef): boolean => ref.unit === hit.unit && Math.abs(ref.time - hit.time) < 1e-4;
    const already = this.host.chosen().some(same);
    if (adding && already) this.host.choose(this.host.chosen().filter((ref) => !same(ref)));
    else if (adding) this.host.choose([...this.host.chosen(), hit]);
    else if (!already) this.host.choose([hit]);
    const [layer, refs, side] = [this.host.layer(), this.host.chosen(), this.host.side()];
    if (refs.length === 0) return () => {};
    const first = Math.min(...refs.map(({ time }) => time));
    let moved = false;
    let allowed: boolean | null = null;
    return (nextX, nextY, event) => {
      if (!moved && Math.hypot(nextX - x, nextY - y) < 3) return;
      moved = true;
      allowed ??= this.host.free(refs);
      if (!allowed) return;
      let seconds = Math.max(this.picture.time(nextX) - this.picture.time(x), -first);
      let weight = this.picture.weight(nextY) - this.picture.weight(y);
      if (event.shiftKey && Math.abs(nextX - x) > Math.abs(nextY - y)) weight = 0;
      else if (event.shiftKey) seconds = 0;
      if (!event.altKey && seconds !== 0) seconds = this.host.frame(hit.time + seconds) - hit.time;
      this.host.edit(refs, movedBy(seconds, Math.round(weight * 200) / 200, side), layer);
    };
  }

  /** On a curve: brings it to the front. */
  private front(x: number, y: number): Drag | null {
    const unit = this.curveAt(x, y);
    if (unit === null) return null;
    this.host.focus(unit);
    this.host.choose(this.host.chosen().filter((ref) => ref.unit === unit));
    return () => {};
  }

  /** On nothing: a box that chooses what it touches. */
  private draw(x: number, y: number, adding: boolean): Drag {
    const before = adding ? this.host.chosen() : [];
    if (!adding) this.host.choose([]);
    return (nextX, nextY) => {
      const box = {
        left: Math.min(x, nextX),
        right: Math.max(x, nextX),
        top: Math.min(y, nextY),
        bottom: Math.max(y, nextY),
      };
      this.select = box;
      const inside = (key: Key): boolean => {
        const along = this.picture.x(key.time);
        const within = (weight: number): boolean =>
          this.picture.y(weight) >= box.top && this.picture.y(weight) <= box.bottom;
        return along >= box.left && along <= box.right && (within(key.left) || within(key.right));
      };
      const found = this.host
        .scene()
        .curves.flatMap(({ unit, track }) => track.filter(inside).map(({ time }) => ({ unit, time })));
      const kept = before.filter((ref) => !found.some((each) => each.unit === ref.unit && each.time === ref.time));
      this.host.choose([...kept, ...found]);
    };
  }

  private keyAt(x: number, y: number, reach: number): KeyRef | null {
    let [best, nearest]: [KeyRef | null, number] = [null, reach];
    for (const { unit, track } of this.host.scene().curves) {
      for (const key of track) {
        for (const weight of [key.left, key.right]) {
          const off = Math.hypot(this.picture.x(key.time) - x, this.picture.y(weight) - y);
          if (off <= nearest) [best, nearest] = [{ unit, time: key.time }, off];
        }
      }
    }
    return best;
  }

  private curveAt(x: number, y: number): string | null {
    const time = this.picture.time(x);
    let [best, nearest]: [string | null, number] = [null, CURVE_REACH_PX];
    for (const { unit, track } of this.host.scene().curves) {
      if (track.length === 0) continue;
      const off = Math.min(...sampleTrack(track, time).map((weight) => Math.abs(this.picture.y(weight) - y)));
      if (off <= nearest) [best, nearest] = [unit, off];
    }
    return best;
  }

  private cursor(x: number, y: number): string {
    const around = this.picture.around(this.host.scene());
    const grip = around === null ? undefined : grips(around).find((each) => Math.hypot(each.x - x, each.y - y) <= 8);
    if (grip !== undefined) return grip.edge === "left" || grip.edge === "right" ? "ew-resize" : "ns-resize";
    if (this.keyAt(x, y, REACH_PX) !== null) return "move";
    return this.curveAt(x, y) !== null ? "pointer" : "crosshair";
  }
}
