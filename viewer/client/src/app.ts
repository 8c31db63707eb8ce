// Binds rig, blend, stage, panel and timeline: the project is the one state, and every change of it can be undone.

import { Autosave } from "./autosave";
import { SparseBlend } from "./blend";
import { readCurves, writeCurves } from "./curve_files";
import { element } from "./elements";
import { HeadUpload } from "./head_upload";
import { History } from "./history";
import { withKey, withoutKey, type Key, type Track } from "./keys";
import { lookOf } from "./materials";
import type { ViewerMetadata } from "./messages";
import { mirrored } from "./mirror";
import { VertexNormals } from "./normals";
import { Panel } from "./panel";
import { columnOf, poseOf, restPose, type Pose, type Side } from "./pose";
import { emptyProject, poseAt, projectText, readProject, withClip, withFrames, type Project } from "./project";
import { readRig, type Rig } from "./rig";
import { listenToKeys } from "./shortcuts";
import { ShapesView } from "./shapes_view";
import type { Source } from "./source";
import { Stage } from "./stage";
import { Timeline } from "./timeline";
import { download, Toolbar } from "./toolbar";

export class App {
  readonly names: readonly string[];
  readonly blend: SparseBlend;
  readonly timeline: Timeline;
  readonly stage: Stage;
  readonly history: History<Project>;
  /** What is shown now. */
  pose: Pose;
  private readonly metadata: ViewerMetadata;
  private readonly rig: Rig;
  private readonly normals: VertexNormals;
  private readonly panel: Panel;
  private readonly toolbar: Toolbar;
  private readonly shapes: ShapesView;
  private readonly autosave: Autosave;
  private solo: ReadonlySet<number> = new Set();
  private records = false;
  private onGpu = false;
  private readonly ended = new AbortController();
  private readonly upload = new HeadUpload();

  /** @param another shows another head instead of this one. */
  constructor(
    host: HTMLElement,
    private readonly source: Source,
    private readonly another: (source: Source) => void,
  ) {
    this.rig = readRig(source.glb);
    this.metadata = source.metadata;
    const { rig } = this;
    this.names = rig.face.names;
    this.pose = restPose(this.names.length);
    this.blend = new SparseBlend(rig.positions, rig.face);
    this.normals = new VertexNormals(rig.positions, rig.indices, this.blend.moved, rig.normals);
    this.autosave = new Autosave(`facet4d viewer: ${source.metadata.title} ${rig.positions.length / 3}`);
    this.history = new History(this.opening());
    this.panel = this.makePanel();
    this.timeline = this.makeTimeline();
    this.shapes = new ShapesView(source.metadata, this.names);
    const view = element("main", { class: "stage", "aria-label": "Head" });
    this.toolbar = this.makeToolbar();
    view.append(this.toolbar.legend, this.upload.root);
    const column = element("div", { class: "column" }, this.toolbar.root, view);
    if (this.names.length > 0) {
      column.append(this.timeline.root);
      this.panel.root.append(...(this.metadata.arkit_shapes.length > 0 ? [this.shapes.root] : []));
    }
    host.replaceChildren(column, this.panel.root);
    this.stage = new Stage(view);
    const look = lookOf(rig, () => this.stage.draw());
    this.stage.show({
      positions: this.blend.positions,
      normals: this.normals.normals,
      indices: rig.indices,
      axes: rig.face.axes,
      ...look,
    });
    this.setGpu(this.stage.blendsWell(rig.face, rig.positions.length / 3));
    this.restore();
    this.show();
    this.listen(host);
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (source.metadata.autoplay && !still && this.history.now.tracks.size > 0) this.timeline.start();
  }

  /** Ends this app, before another takes the page. */
  dispose(): void {
    this.timeline.pause();
    this.ended.abort();
    this.stage.dispose();
  }

  /** Blends on the graphics card, or not. */
  setGpu(on: boolean): boolean {
    const { rig } = this;
    const owners = this.normals.owners;
    const works = this.stage.blendOnGpu(on ? { ...rig, owners } : null);
    this.onGpu = on && works;
    this.toolbar.showGpu(this.onGpu);
    if (on && !works) this.toolbar.say("This graphics card cannot blend; the processor does it.");
    this.show();
    return works;
  }

  /** Reads a project or curves out of a file's text. Throws an Error that says what is wrong. */
  open(name: string, text: string): void {
    if (name.toLowerCase().endsWith(".json")) {
      const { project, missing } = readProject(text, this.names);
      this.commit(project);
      this.toolbar.say(missing.length > 0 ? `Opened. This head lacks ${missing.join(", ")}.` : `Opened ${name}.`);
    } else {
      const { times, poses, ignored } = readCurves(text, this.metadata, this.names);
      this.commit(withFrames(this.history.now, this.names, times, poses));
      this.timeline.seek(0);
      const left = ignored.length > 0 ? ` Nothing here moves by ${ignored.slice(0, 5).join(", ")}.` : "";
      this.toolbar.say(`${name}: ${poses.length} frames.${left}`);
    }
  }

  /** Our curves of the animation, a row a frame. */
  curves(): string {
    const project = { ...this.history.now, follows: true };
    const frames = Math.round(project.seconds * project.fps) + 1;
    const poses = Array.from({ length: frames }, (_, frame) => poseAt(project, this.names, frame / project.fps));
    return writeCurves(poses, project.fps, this.names);
  }

  projectText(): string {
    return projectText(this.history.now, this.names);
  }

  /** Sets a unit, by hand or as a key when recording. */
  setUnit(unit: number, side: Side, weight: number): void {
    const pose = this.posed();
    if (side !== "right") pose[unit] = weight;
    if (side !== "left") pose[this.names.length + unit] = weight;
    this.handPose(pose, [this.names[unit]], `unit ${unit} ${side}`);
  }

  /** Sets all units by names; those without a weight go to zero. */
  setWeights(weights: Readonly<Record<string, number>>, factor: number, tag: string | null = null): void {
    const named = Object.keys(weights).flatMap((name) => columnOf(name, this.names)?.unit ?? []);
    const tracked = [...this.history.now.tracks.keys()];
    const keyed = [...new Set([...named.map((unit) => this.names[unit]), ...tracked])];
    this.handPose(poseOf(weights, this.names, factor), keyed, tag);
  }

  undo(): void {
    if (this.history.undo()) this.changed();
  }

  redo(): void {
    if (this.history.redo()) this.changed();
  }

  private opening(): Project {
    const weights = poseOf(this.metadata.weights, this.names);
    const project = { ...emptyProject(this.names.length), pose: weights };
    const { clip } = this.rig;
    if (clip === null || this.names.length === 0) return project;
    const animated = withClip(project, this.names, clip);
    return { ...animated, follows: weights.every((weight) => weight === 0) };
  }

  private posed(): Pose {
    return poseAt(this.history.now, this.names, this.timeline.time);
  }

  private handPose(pose: Pose, units: readonly string[], tag: string | null): void {
    this.timeline.pause();
    const project = this.history.now;
    if (!this.records) return this.commit({ ...project, pose, follows: false }, tag);
    this.commit({ ...project, pose, follows: true, tracks: this.keyed(project, pose, units) }, tag);
  }

  private keyed(project: Project, pose: Pose, units: readonly string[]): ReadonlyMap<string, Track> {
    const tracks = new Map(project.tracks);
    const time = Math.round(this.timeline.time * project.fps) / project.fps;
    for (const name of units) {
      const unit = this.names.indexOf(name);
      const key: Key = { time, left: pose[unit], right: pose[this.names.length + unit], ease: "bezier" };
      tracks.set(name, withKey(tracks.get(name) ?? [], key));
    }
    return tracks;
  }

  private commit(project: Project, tag: string | null = null): void {
    this.history.commit(project, tag);
    this.changed();
  }

  private changed(): void {
    this.autosave.write(() => this.projectText());
    this.show();
  }

  private restore(): void {
    const saved = this.autosave.read();
    if (saved === null || this.names.length === 0) return;
    try {
      this.history.commit(readProject(saved, this.names).project);
      this.toolbar.say("Your last changes are back; Undo discards them.");
    } catch {
      this.autosave.forget(); // written by another version
    }
  }

  private show(): void {
    const project = this.history.now;
    const pose = this.posed();
    this.panel.show(pose, project.unlinked);
    this.timeline.show(project);
    this.toolbar.show(this.history.canUndo, this.history.canRedo);
    this.pose =
      this.solo.size === 0 ? pose : pose.map((weight, at) => (this.solo.has(at % this.names.length) ? weight : 0));
    this.shapes.show(this.pose);
    this.draw();
  }

  private draw(): void {
    if (this.onGpu) return this.stage.poseOnGpu(this.pose);
    this.blend.apply(this.pose);
    this.normals.update(this.blend.positions);
    this.stage.surfaceMoved();
  }

  private makePanel(): Panel {
    return new Panel(this.metadata, this.names, {
      unitChanged: (unit, side, weight) => this.setUnit(unit, side, weight),
      settled: () => this.history.settle(),
      linked: (unit, linked) => this.setLinked(unit, linked),
      soloChanged: (units) => {
        this.solo = new Set(units);
        this.show();
      },
      expression: (weights, factor, tag) => this.setWeights(weights, factor, tag),
      reset: () => this.setWeights({}, 0),
      mirror: () => this.mirror(),
    });
  }

  private setLinked(unit: number, linked: boolean): void {
    const project = this.history.now;
    const unlinked = new Set(project.unlinked);
    const pose = this.posed();
    if (!linked) {
      unlinked.add(this.names[unit]);
      return this.commit({ ...project, unlinked });
    }
    unlinked.delete(this.names[unit]);
    const mean = (pose[unit] + pose[this.names.length + unit]) / 2;
    pose[unit] = pose[this.names.length + unit] = mean;
    this.commit({ ...project, unlinked, pose, follows: false });
  }

  private mirror(): void {
    this.panel.forgetExpression();
    const pose = mirrored(this.posed(), this.names);
    const moving = this.names.filter((_, unit) => pose[unit] !== 0 || pose[this.names.length + unit] !== 0);
    this.handPose(pose, moving, null);
  }

  private makeTimeline(): Timeline {
    const track = (unit: string, change: (track: Track) => Track): void => {
      const tracks = new Map(this.history.now.tracks);
      const next = change(tracks.get(unit) ?? []);
      if (next.length === 0) tracks.delete(unit);
      else tracks.set(unit, next);
      this.commit({ ...this.history.now, tracks, follows: true });
    };
    const at = (keys: Track, time: number): Key | undefined => keys.find((key) => key.time === time);
    return new Timeline({
      seeked: () => {
        this.panel.forgetExpression();
        if (!this.history.now.follows) this.history.commit({ ...this.history.now, follows: true });
        this.show();
      },
      keyed: () => this.keyNow(),
      settings: (change) => this.commit({ ...this.history.now, ...change }),
      recording: (on) => (this.records = on),
      moved: (unit, from, to) =>
        track(unit, (keys) => {
          const key = at(keys, from);
          return key === undefined ? keys : withKey(withoutKey(keys, from), { ...key, time: to });
        }),
      removed: (unit, time) => track(unit, (keys) => withoutKey(keys, time)),
      eased: (unit, time, ease) =>
        track(unit, (keys) => keys.map((key) => (key.time === time ? { ...key, ease } : key))),
      settled: () => this.history.settle(),
    });
  }

  private keyNow(): void {
    const project = this.history.now;
    const pose = this.posed();
    const moving = this.names.filter(
      (name, unit) => project.tracks.has(name) || pose[unit] !== 0 || pose[this.names.length + unit] !== 0,
    );
    if (moving.length === 0) return this.toolbar.say("Nothing moves: no key was set.");
    this.commit({ ...project, pose, follows: true, tracks: this.keyed(project, pose, moving) });
  }

  private makeToolbar(): Toolbar {
    const stem = this.metadata.title.replace(/\.[a-z0-9]+$/i, "").replace(/[^\w-]+/g, "_") || "face";
    return new Toolbar(
      {
        undo: () => this.undo(),
        redo: () => this.redo(),
        opened: (file) => void this.openFile(file),
        save: () => download(this.projectText(), `${stem}.json`),
        exportCurves: () => download(this.curves(), `${stem}.csv`),
        exportPicture: () => void this.stage.picture().then((png) => png !== null && download(png, `${stem}.png`)),
        viewed: (view, hottest) => this.stage?.setView(view, hottest),
        gpu: (on) => this.setGpu(on),
        front: () => this.stage.faceFront(),
      },
      this.source.served,
    );
  }

  private async openFile(file: File): Promise<void> {
    try {
      if (/\.(json|csv)$/i.test(file.name)) this.open(file.name, await file.text());
      else if (!this.source.served)
        throw new Error("this page can open projects and curves; mesh4d-viewer opens heads");
      else {
        const glb = await this.upload.send(file);
        const metadata = { ...this.metadata, title: file.name, autoplay: false, weights: {} };
        if (glb !== null) this.another({ ...this.source, glb, metadata });
      }
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      this.toolbar.say(`${file.name}: ${error.message}`, true);
    }
  }

  private listen(host: HTMLElement): void {
    const { signal } = this.ended;
    host.addEventListener("dragover", (event) => event.preventDefault(), { signal });
    host.addEventListener(
      "drop",
      (event) => {
        event.preventDefault();
        const file = event.dataTransfer?.files[0];
        if (file !== undefined) void this.openFile(file);
      },
      { signal },
    );
    listenToKeys(
      {
        " ": () => this.timeline.toggle(),
        k: () => this.keyNow(),
        m: () => this.mirror(),
        "/": () => this.panel.focusSearch(),
        ",": () => this.timeline.step(-1),
        ".": () => this.timeline.step(1),
        "ctrl z": () => this.undo(),
        "ctrl y": () => this.redo(),
        "ctrl shift z": () => this.redo(),
      },
      signal,
    );
  }
}
