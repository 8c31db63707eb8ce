// Curves of the layer at hand: keys are chosen, moved, scaled, shaped, copied, by pointer and by keyboard.

import type { Animator } from "./animator";
import { fitCanvas } from "./canvas";
import { chosenKeys, CurveCanvas, type Scene, type ShownCurve } from "./curve_canvas";
import { CurveGestures } from "./curve_gestures";
import { CurveList } from "./curve_list";
import { element } from "./elements";
import {
  copiedKeys,
  easedTo,
  keyAt,
  movedBy,
  onFrame,
  pastedKeys,
  scaledBy,
  shownHandles,
  withHandles,
  withWeights,
  type Clipboard,
  type KeyRef,
} from "./key_edits";
import { sampleTrack, withKey, type Key } from "./keys";
import { KeyInspector } from "./key_inspector";
import { sumAt, withTrack, type Layer } from "./layers";
import type { TimeView } from "./time_view";

const STEP_WEIGHT = 0.01;
const HELP =
  "Brackets choose the key before or after, with Shift they add it; Page Up and Page Down change the curve. Arrows move " +
  "chosen keys, with Shift further. Control A, C, X, V. 1 linear, 2 bezier, 3 step. Insert adds a key. Delete. Escape.";

export class CurveEditor {
  readonly root: HTMLElement;
  readonly list: CurveList;
  chosen: readonly KeyRef[] = [];
  private readonly canvas: HTMLCanvasElement;
  private readonly picture: CurveCanvas;
  private readonly inspector: KeyInspector;
  private readonly gestures: CurveGestures;
  private readonly release: () => void;
  private clipboard: Clipboard = [];
  private range: readonly [number, number] = [0, 1];

  constructor(
    private readonly animator: Animator,
    private readonly view: TimeView,
    private readonly now: () => number,
  ) {
    const help = element("span", { class: "unseen", id: "curve-help" }, HELP);
    this.canvas = element("canvas", {
      class: "curves",
      tabindex: 0,
      role: "application",
      "aria-label": "Curves: weight over time",
      "aria-describedby": "curve-help",
      "aria-roledescription": "curve editor",
    });
    this.picture = new CurveCanvas(this.canvas, view);
    this.list = new CurveList({ changed: () => this.show(), locked: (unit, on) => animator.setUnitLocked(unit, on) });
    this.inspector = this.makeInspector();
    const area = element("div", { class: "area" }, this.canvas, this.inspector.told, help);
    this.root = element(
      "div",
      { class: "curve-editor" },
      this.inspector.root,
      element("div", { class: "track-row curve-area" }, this.list.root, area),
    );
    view.listen(this.canvas);
    this.gestures = new CurveGestures(this.canvas, this.picture, {
      scene: () => this.scene(),
      chosen: () => this.chosen,
      side: () => this.inspector.side,
      layer: () => this.animator.layer,
      choose: (refs) => this.choose(refs),
      focus: (unit) => this.list.focus(unit),
      edit: (refs, change, from) => this.edit(refs, change, "curves", from),
      free: (refs) => this.animator.free(this.animator.layer, refs),
      shape: (layer) => this.animator.replace(layer, "curves"),
      settled: () => this.animator.settle(),
      frame: (time) => onFrame(time, this.animator.project),
      add: (unit, time, weight) => this.add(unit, time, weight),
      focused: () => this.list.focused,
      redraw: () => this.draw(),
    });
    this.canvas.addEventListener("keydown", (event) => this.pressed(event));
    this.canvas.addEventListener("focus", () => this.draw());
    this.release = fitCanvas(this.canvas, () => this.draw());
  }

  show(): void {
    const { layer } = this.animator;
    this.list.show(layer);
    const still = this.chosen.filter((ref) => keyAt(layer, ref) !== undefined);
    if (still.length < this.chosen.length) this.chosen = still;
    this.draw();
  }

  choose(refs: readonly KeyRef[]): void {
    this.chosen = refs;
    if (refs.length > 0 && !refs.some(({ unit }) => unit === this.list.focused)) this.list.focus(refs[0].unit);
    this.draw();
  }

  dispose(): void {
    this.release();
  }

  private scene(): Scene {
    const { layer, project } = this.animator;
    const curves = this.list.shown().map((unit): ShownCurve => {
      const locked = layer.locked || layer.lockedUnits.has(unit);
      return {
        unit,
        track: layer.tracks.get(unit) ?? [],
        color: this.list.colorOf(unit),
        locked,
        focused: unit === this.list.focused,
      };
    });
    if (!this.gestures?.busy) this.range = rangeOf(curves);
    const front = this.list.focused;
    const several =
      project.layers.filter((each) => front !== null && each.tracks.has(front)).length > 1 || layer.weight !== 1;
    const result =
      front === null || !several
        ? null
        : (time: number): number =>
            Math.min(Math.max(sumAt(project.layers, front, time)[0], project.limits[0]), project.limits[1]);
    return { curves, chosen: this.chosen, range: this.range, result, select: this.gestures?.select ?? null };
  }

  private draw(): void {
    const scene = this.scene();
    this.picture.draw(scene);
    this.inspector.show(chosenKeys(scene), this.chosen[0]?.unit ?? null, this.clipboard.length > 0);
  }

  private edit(
    refs: readonly KeyRef[],
    change: (key: Key) => Key | null,
    tag: string | null = null,
    from?: Layer,
  ): boolean {
    const after = this.animator.edit(refs, change, tag, from);
    if (after === null) return false;
    this.choose(after);
    return true;
  }

  private add(unit: string, time: number, weight: number | null): void {
    const { layer } = this.animator;
    const track = layer.tracks.get(unit) ?? [];
    if (!this.animator.free(layer, [{ unit, time }])) return;
    const [left, right] = track.length > 0 ? sampleTrack(track, time) : [0, 0];
    const before = track.filter((key) => key.time <= time).at(-1) ?? track[0];
    const lift = weight === null ? 0 : weight - (left + right) / 2;
    const key: Key = { time, left: left + lift, right: right + lift, ease: before?.ease ?? "bezier" };
    this.animator.replace(withTrack(layer, unit, withKey(track, key)));
    this.choose([{ unit, time }]);
  }

  private addNow(): void {
    if (this.list.focused !== null) this.add(this.list.focused, onFrame(this.now(), this.animator.project), null);
  }

  private copy(): void {
    if (this.chosen.length > 0) this.clipboard = copiedKeys(this.animator.layer, this.chosen);
    this.draw();
  }

  private paste(): void {
    if (this.clipboard.length === 0) return;
    const time = onFrame(this.now(), this.animator.project);
    const pasted = pastedKeys(this.animator.layer, this.clipboard, time, this.list.focused);
    if (!this.animator.free(this.animator.layer, pasted.refs)) return;
    this.animator.replace(pasted.layer);
    this.choose(pasted.refs);
  }

  private remove(): void {
    this.edit(this.chosen, () => null);
  }

  private scale(times: number, weights: number): void {
    const first = Math.min(...this.chosen.map(({ time }) => time));
    this.edit(this.chosen, scaledBy([first, times], [0, weights], this.inspector.side));
  }

  private freeHandles(free: boolean): void {
    const { layer } = this.animator;
    const shown = new Map<Key, { arrive?: Key["arrive"]; leave?: Key["leave"] }>();
    for (const track of layer.tracks.values())
      track.forEach((key, place) => shown.set(key, shownHandles(track, place)));
    this.edit(this.chosen, (key) =>
      free ? withHandles(key, shown.get(key)?.arrive, shown.get(key)?.leave) : withHandles(key),
    );
  }

  private makeInspector(): KeyInspector {
    return new KeyInspector({
      timed: (time) =>
        this.edit(this.chosen, (key) => ({ ...key, time: Math.min(Math.max(time, 0), this.animator.project.seconds) })),
      weighted: (weight) => this.edit(this.chosen, (key) => withWeights(key, this.inspector.side, () => weight)),
      eased: (ease) => this.edit(this.chosen, easedTo(ease)),
      handles: (free) => this.freeHandles(free),
      scaled: (times, weights) => this.scale(times, weights),
      copied: () => this.copy(),
      pasted: () => this.paste(),
      removed: () => this.remove(),
      added: () => this.addNow(),
      tolerated: (tolerance) => (this.animator.tolerance = tolerance),
      thinned: () => this.animator.thin(this.list.shown()),
    });
  }

  private pressed(event: KeyboardEvent): void {
    if (event.altKey || !this.act(event)) return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** Whether the key means something here. */
  private act(event: KeyboardEvent): boolean {
    const { fps } = this.animator.project;
    const far = event.shiftKey ? 10 : 1;
    const side = this.inspector.side;
    const held = event.ctrlKey || event.metaKey;
    const move = (frames: number, weight: number): boolean =>
      this.chosen.length > 0 && this.edit(this.chosen, movedBy((frames * far) / fps, weight * far, side), null);
    const actions: Record<string, () => unknown> = held
      ? {
          a: () => this.chooseAll(),
          c: () => this.copy(),
          v: () => this.paste(),
          x: () => (this.copy(), this.remove()),
        }
      : {
          ArrowLeft: () => move(-1, 0),
          ArrowRight: () => move(1, 0),
          ArrowUp: () => move(0, STEP_WEIGHT),
          ArrowDown: () => move(0, -STEP_WEIGHT),
          "[": () => this.walk(-1, false),
          "]": () => this.walk(1, false),
          "{": () => this.walk(-1, true),
          "}": () => this.walk(1, true),
          PageUp: () => this.turn(-1),
          PageDown: () => this.turn(1),
          "1": () => this.edit(this.chosen, easedTo("linear")),
          "2": () => this.edit(this.chosen, easedTo("bezier")),
          "3": () => this.edit(this.chosen, easedTo("step")),
          Insert: () => this.addNow(),
          Delete: () => this.remove(),
          Backspace: () => this.remove(),
          Escape: () => this.choose([]),
        };
    const action = actions[held ? event.key.toLowerCase() : event.key];
    action?.();
    return action !== undefined;
  }

  private chooseAll(): void {
    const { layer } = this.animator;
    this.choose(
      this.list.shown().flatMap((unit) => (layer.tracks.get(unit) ?? []).map(({ time }) => ({ unit, time }))),
    );
  }

  /** Chooses the key before or after on the curve in front. */
  private walk(step: number, adding: boolean): void {
    const unit = this.list.focused;
    if (unit === null) return;
    const track = this.animator.layer.tracks.get(unit) ?? [];
    const own = this.chosen.filter((ref) => ref.unit === unit).map(({ time }) => time);
    const from = own.length === 0 ? this.now() - step * 1e-3 : step > 0 ? Math.max(...own) : Math.min(...own);
    const next =
      step > 0 ? track.find((key) => key.time > from + 1e-4) : track.filter((key) => key.time < from - 1e-4).at(-1);
    if (next === undefined) return;
    this.view.follow(next.time);
    this.choose([...(adding ? this.chosen : []), { unit, time: next.time }]);
  }

  private turn(step: number): void {
    const units = [...this.animator.layer.tracks.keys()];
    const next = units[(units.indexOf(this.list.focused ?? "") + step + units.length) % units.length];
    if (next === undefined) return;
    this.list.focus(next);
    this.choose([]);
  }
}

function rangeOf(curves: readonly ShownCurve[]): readonly [number, number] {
  let [low, high] = [0, 1];
  for (const { track } of curves) {
    for (const key of track) [low, high] = [Math.min(low, key.left, key.right), Math.max(high, key.left, key.right)];
  }
  const margin = 0.08 * (high - low);
  return [low - margin, high + margin];
}
