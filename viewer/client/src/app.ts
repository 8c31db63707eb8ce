// Binds rig, blend, stage, panel and timeline: the project is the one state, and every change of it can be undone.

import { Animator } from "./animator";
import { Autosave } from "./autosave";
import { readCurves, writeCurves } from "./curve_files";
import { Dock } from "./dock";
import { element } from "./elements";
import { exportItems } from "./exports";
import { Head } from "./head";
import { History } from "./history";
import { Incoming } from "./incoming";
import { keyedUnits } from "./layers";
import type { ViewerMetadata } from "./messages";
import { mirrored } from "./mirror";
import { Panel } from "./panel";
import { columnOf, poseOf, restPose, type Pose, type Side } from "./pose";
import { emptyProject, poseAt, withClip, type Project } from "./project";
import { projectText, readProject } from "./project_file";
import { listenToKeys } from "./shortcuts";
import { ShapesView } from "./shapes_view";
import type { Source } from "./source";
import { Stage } from "./stage";
import { Timeline } from "./timeline";
import { Toolbar } from "./toolbar";
import type { Track as WeightTrack } from "./weight_columns";

export class App {
  readonly names: readonly string[];
  head: Head;
  readonly timeline: Timeline;
  readonly stage: Stage;
  readonly history: History<Project>;
  readonly animator: Animator;
  /** What is shown now. */
  pose: Pose;
  readonly metadata: ViewerMetadata;
  private readonly panel: Panel;
  private readonly toolbar: Toolbar;
  private readonly shapes: ShapesView;
  private readonly autosave: Autosave;
  private solo: ReadonlySet<number> = new Set();
  private records = false;
  private onGpu = false;
  private readonly ended = new AbortController();
  readonly incoming: Incoming;
  private readonly dock: Dock;

  /**
   * @param another shows another head instead of this one, with a project of this one's if its units are others.
   * @param carried the project of the head before.
   */
  constructor(
    host: HTMLElement,
    public source: Source,
    private readonly another: (source: Source, carried: string | null) => App,
    carried: string | null = null,
  ) {
    this.metadata = source.metadata;
    const view = element("main", { class: "stage", "aria-label": "Head" });
    this.stage = new Stage(view);
    this.head = new Head(source.glb, this.stage);
    this.names = this.head.names;
    this.pose = restPose(this.names.length);
    const vertices = this.head.rig.positions.length / 3;
    this.autosave = new Autosave(`facet4d viewer: ${source.metadata.title} ${vertices}`);
    this.history = new History(this.opening());
    this.animator = this.makeAnimator();
    this.panel = this.makePanel();
    this.timeline = this.makeTimeline();
    this.shapes = new ShapesView(source.metadata, this.names);
    this.incoming = new Incoming(this);
    this.toolbar = this.makeToolbar();
    this.dock = new Dock(this, view);
    this.toolbar.root.firstElementChild?.append(this.dock.toggles);
    view.append(this.toolbar.legend, this.incoming.root);
    const column = element("div", { class: "column" }, this.toolbar.root, this.dock.around);
    if (this.names.length > 0) {
      column.append(this.timeline.root);
      this.panel.root.append(...(this.metadata.arkit_shapes.length > 0 ? [this.shapes.root] : []));
    }
    host.replaceChildren(column, this.panel.root);
    this.setGpu(this.stage.blendsWell(this.head.rig.face, vertices));
    if (carried === null) this.restore();
    else this.open("project.json", carried);
    this.show();
    this.listen(host);
    void this.timeline.openEmbedded(source.metadata.sound).then(() => this.timeline.recallSound());
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (source.metadata.autoplay && !still && keyedUnits(this.history.now.layers).size > 0) this.timeline.start();
  }

  /** Ends this app, before another takes the page. */
  dispose(): void {
    this.timeline.dispose();
    this.ended.abort();
    this.dock.dispose();
    this.stage.dispose();
  }

  get blend(): Head["blend"] {
    return this.head.blend;
  }

  get normals(): Head["normals"] {
    return this.head.normals;
  }

  /** Blends on the graphics card, or not. */
  setGpu(on: boolean): boolean {
    const works = this.head.setGpu(on);
    this.onGpu = on && works;
    this.toolbar.showGpu(this.onGpu);
    if (on && !works) this.toolbar.say("This graphics card cannot blend; the processor does it.");
    this.show();
    return works;
  }

  /** Shows another head and keeps what the reader made; one with other units takes the page anew. What shows it now. */
  replaceHead(source: Source): App {
    const { camera } = this.stage;
    const head = new Head(source.glb, this.stage);
    const same = head.names.length === this.names.length && head.names.every((name, at) => name === this.names[at]);
    if (!same) return this.another(source, this.names.length === 0 ? null : this.projectText());
    [this.head, this.source] = [head, source];
    const { clip } = head.rig;
    if (clip !== null && keyedUnits(this.history.now.layers).size === 0)
      this.commit(withClip(this.history.now, this.names, clip));
    this.panel.setTitle(source.metadata.title);
    this.stage.setView(...this.toolbar.seen);
    this.dock.headReplaced();
    this.setGpu(this.onGpu);
    camera.updateProjectionMatrix();
    return this;
  }

  /** Frames that come from elsewhere, as keys of the layer for imports. Says how they were thinned. */
  import(times: readonly number[], poses: readonly Pose[]): string {
    const result = this.animator.importFrames(times, poses);
    this.timeline.seek(0);
    return result;
  }

  /** Draws the present pose once more, on whatever came to the stage. */
  posedAgain(): void {
    this.show();
  }

  say(message: string, wrong = false): void {
    this.toolbar.say(message, wrong);
  }

  /** Reads a project or curves out of a file's text. Throws an Error that says what is wrong. */
  open(name: string, text: string): void {
    if (name.toLowerCase().endsWith(".json")) {
      const { project, missing } = readProject(text, this.names);
      this.commit(project);
      void this.timeline.recallSound();
      this.toolbar.say(missing.length > 0 ? `Opened. This head lacks ${missing.join(", ")}.` : `Opened ${name}.`);
    } else {
      const { times, poses, ignored } = readCurves(text, this.metadata, this.names);
      const result = this.import(times, poses);
      const left = ignored.length > 0 ? ` Nothing here moves by ${ignored.slice(0, 5).join(", ")}.` : "";
      this.toolbar.say(`${name}: ${poses.length} frames ${result}.${left}`);
    }
  }

  /** The animation, a pose a frame. */
  frames(): WeightTrack & { readonly fps: number } {
    const project = { ...this.history.now, follows: true };
    const count = Math.round(project.seconds * project.fps) + 1;
    const times = Array.from({ length: count }, (_, frame) => frame / project.fps);
    const poses = times.map((time) => poseAt(project, this.names, time));
    return { units: this.names, times, poses, fps: project.fps };
  }

  /** Our curves of the animation, a row a frame. */
  curves(): string {
    const { poses, fps } = this.frames();
    return writeCurves(poses, fps, this.names);
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
    const keyed = [...new Set([...named.map((unit) => this.names[unit]), ...keyedUnits(this.history.now.layers)])];
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
    const { clip } = this.head.rig;
    if (clip === null || this.names.length === 0) return project;
    const animated = withClip(project, this.names, clip);
    return { ...animated, follows: weights.every((weight) => weight === 0) };
  }

  private posed(): Pose {
    return poseAt(this.history.now, this.names, this.timeline.time);
  }

  private handPose(pose: Pose, units: readonly string[], tag: string | null): void {
    this.timeline.pause();
    if (this.records) this.animator.keyPose(pose, units, tag);
    else this.animator.commit({ pose, follows: false }, tag);
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
    this.dock.posed();
  }

  private draw(): void {
    this.head.show(this.pose);
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

  private makeAnimator(): Animator {
    return new Animator({
      names: this.names,
      history: this.history,
      time: () => this.timeline.time,
      posed: () => this.posed(),
      changed: () => this.changed(),
      say: (message, wrong) => this.toolbar.say(message, wrong),
    });
  }

  private makeTimeline(): Timeline {
    return new Timeline(this.animator, this.names, {
      seeked: () => {
        this.panel.forgetExpression();
        if (!this.history.now.follows) this.history.commit({ ...this.history.now, follows: true });
        this.show();
      },
      recording: (on) => (this.records = on),
      say: (message, wrong) => this.toolbar.say(message, wrong),
      head: () => this.source.head,
      emotions: this.metadata.emotions.map(({ name }) => name),
      phones: this.metadata.phones,
      served: this.source.served,
    });
  }

  private makeToolbar(): Toolbar {
    return new Toolbar(
      {
        undo: () => this.undo(),
        redo: () => this.redo(),
        opened: (files) => void this.incoming.take(files),
        viewed: (view, hottest) => {
          this.stage.setView(view, hottest);
          this.dock?.viewed(view);
        },
        gpu: (on) => this.setGpu(on),
        front: () => this.stage.faceFront(),
      },
      exportItems(this),
      this.source.served,
    );
  }

  /** Opens a file that was chosen or dropped. */
  openFile(file: File): Promise<void> {
    return this.incoming.take([file]);
  }

  private listen(host: HTMLElement): void {
    const { signal } = this.ended;
    window.addEventListener("pagehide", () => this.autosave.flush(), { signal });
    host.addEventListener("dragover", (event) => event.preventDefault(), { signal });
    host.addEventListener(
      "drop",
      (event) => {
        event.preventDefault();
        if (event.dataTransfer !== null) void this.incoming.dropped(event.dataTransfer);
      },
      { signal },
    );
    listenToKeys(
      {
        " ": () => this.timeline.toggle(),
        k: () => this.animator.keyNow(),
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
