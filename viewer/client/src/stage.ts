// The drawn scene: lights, camera, one mesh. It draws only when something changed.

import {
  DirectionalLight,
  HemisphereLight,
  NeutralToneMapping,
  PCFShadowMap,
  PerspectiveCamera,
  type Object3D,
  Scene,
  Vector3,
  WebGLRenderer,
} from "three";
import { DrawnHead, type GpuRig, type Surface } from "./drawn_head";
import type { Face } from "./face";
import { GpuBlend } from "./gpu_blend";
import type { Pose } from "./pose";
import type { View } from "./surface";
import { OrbitControls } from "three/addons/controls/OrbitControls.js";

const FIELD_OF_VIEW = 24;

export class Stage {
  readonly canvas: HTMLCanvasElement;
  private readonly renderer: WebGLRenderer;
  private readonly scene = new Scene();
  readonly camera = new PerspectiveCamera(FIELD_OF_VIEW, 1, 0.01, 100);
  private readonly controls: OrbitControls;
  private readonly key = new DirectionalLight(0xfff3e6, 1.9);
  /** Where the first head stood when it was first shown: what the camera looks at. */
  private readonly center = new Vector3();
  private readonly size = new Vector3(1, 1, 1);
  private radius = 1;
  private drawPending = false;
  private readonly heads: (DrawnHead | null)[] = [null, null];
  private view: View = "shaded";
  private hottest = 10;
  /** Called before each drawing, with what the camera sees. */
  readonly beforeDraw = new Set<(camera: PerspectiveCamera) => void>();
  private readonly sizes = new ResizeObserver(() => this.resize());

  constructor(private readonly host: HTMLElement) {
    this.renderer = new WebGLRenderer({ antialias: true, alpha: true });
    this.renderer.setClearColor(0, 0);
    this.renderer.toneMapping = NeutralToneMapping;
    this.renderer.shadowMap.enabled = true;
    this.renderer.shadowMap.type = PCFShadowMap;
    this.canvas = this.renderer.domElement;
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute(
      "aria-label",
      "Head in 3D. Arrow keys turn it, plus and minus zoom, Home faces the front.",
    );
    host.append(this.canvas);
    this.controls = new OrbitControls(this.camera, this.canvas);
    this.controls.enablePan = true;
    this.controls.addEventListener("change", () => this.draw());
    this.leaveScrollingToFrame();
    this.canvas.addEventListener("keydown", (event) => this.onKey(event));
    this.sizes.observe(host);
  }

  /** Shows a head in the first or the second place, instead of the one before. */
  show(surface: Surface, place: 0 | 1 = 0): DrawnHead {
    const first = this.heads[0] === null;
    this.heads[place]?.dispose();
    const head = (this.heads[place] = new DrawnHead(this.renderer, surface));
    head.setView(this.view, this.hottest, isDark());
    if (place === 1 && this.heads[0] !== null) head.standAt(this.heads[0]);
    this.scene.add(head.mesh);
    if (first) {
      this.center.copy(head.center);
      head.box.getSize(this.size);
      this.radius = head.radius;
      this.light();
    }
    this.fit();
    if (first) this.faceFront();
    this.draw();
    return head;
  }

  /** Takes the second head away. */
  showOne(): void {
    this.heads[1]?.dispose();
    this.heads[1] = null;
    this.fit();
    this.draw();
  }

  get comparing(): boolean {
    return this.heads[1] !== null;
  }

  /** Adds something that is drawn with the first head, in its coordinates. */
  attach(object: Object3D): void {
    this.heads[0]?.mesh.add(object);
  }

  /** Whether a GPU of its own draws, rather than the processor, and can blend. */
  blendsWell(face: Face, vertices: number): boolean {
    const context = this.renderer.getContext();
    const info = context.getExtension("WEBGL_debug_renderer_info");
    const name = String(context.getParameter(info?.UNMASKED_RENDERER_WEBGL ?? context.RENDERER));
    return !/swiftshader|llvmpipe|software/i.test(name) && GpuBlend.supports(this.renderer, face, vertices);
  }

  /** Starts to blend the first head on the GPU; null ends it. False where the GPU cannot. */
  blendOnGpu(rig: GpuRig | null): boolean {
    return this.heads[0]?.blendOnGpu(rig) ?? false;
  }

  /** Puts a pose into the GPU's textures, after `blendOnGpu`. */
  poseOnGpu(pose: Pose): void {
    this.heads[0]?.poseOnGpu(pose);
    this.draw();
  }

  /** What the GPU's textures hold, for checks. */
  readGpu(what: "positions" | "normals"): Float32Array | null {
    return this.heads[0]?.readGpu(what) ?? null;
  }

  /** @param hottest millimetres at the end of the heat map. */
  setView(view: View, hottest: number): void {
    [this.view, this.hottest] = [view, hottest];
    for (const head of this.heads) head?.setView(view, hottest, isDark());
    this.draw();
  }

  /** Fills what lies behind the head with a CSS colour; null leaves it clear. */
  setBackground(color: string | null): void {
    this.renderer.setClearColor(color ?? "#000000", color === null ? 0 : 1);
    this.render();
  }

  /** The view as a PNG, without what lies behind the head. */
  picture(): Promise<Blob | null> {
    this.render();
    return new Promise((done) => this.canvas.toBlob(done, "image/png"));
  }

  /** Draws at once, for whoever measures or records. */
  render(): void {
    const [one, other] = this.heads;
    for (const each of this.beforeDraw) each(this.camera);
    if (one === null || other === null) return this.renderer.render(this.scene, this.camera);
    const { clientWidth: width, clientHeight: height } = this.host;
    this.renderer.setScissorTest(true);
    for (const [place, head] of [one, other].entries()) {
      one.mesh.visible = head === one;
      other.mesh.visible = head === other;
      const half = Math.floor(width / 2);
      this.renderer.setViewport(place * half, 0, half, height);
      this.renderer.setScissor(place * half, 0, half, height);
      this.renderer.render(this.scene, this.camera);
    }
    one.mesh.visible = true;
    this.renderer.setScissorTest(false);
    this.renderer.setViewport(0, 0, width, height);
  }

  /** Draws in the next animation frame, once however often it is asked. */
  draw(): void {
    if (this.drawPending) return;
    this.drawPending = true;
    requestAnimationFrame(() => {
      this.drawPending = false;
      this.render();
    });
  }

  /** Inside a report the wheel scrolls the report; it zooms only once the reader clicked into the head. */
  private leaveScrollingToFrame(): void {
    if (window.self === window.top) return;
    this.controls.enableZoom = false;
    this.canvas.addEventListener("focus", () => (this.controls.enableZoom = true));
    this.canvas.addEventListener("blur", () => (this.controls.enableZoom = false));
  }

  /** Frees the graphics card's memory; nothing is drawn any more. */
  dispose(): void {
    this.drawPending = true;
    this.sizes.disconnect();
    this.controls.dispose();
    for (const head of this.heads) head?.dispose();
    this.renderer.dispose();
    this.renderer.forceContextLoss();
  }

  private light(): void {
    const { center, radius, scene } = this;
    // No environment map: to filter one takes a software renderer longer than all else until the head is seen.
    scene.add(new HemisphereLight(0xf6f7fb, 0xb3a59c, 2.7));
    const place = (lamp: DirectionalLight, x: number, y: number, z: number): void => {
      lamp.position.copy(center).addScaledVector(new Vector3(x, y, z).normalize(), 3 * radius);
      lamp.target.position.copy(center);
      scene.add(lamp, lamp.target);
    };
    place(this.key, 0.75, 0.75, 1.1);
    place(new DirectionalLight(0xdde8ff, 0.5), -1, 0.1, 0.9);
    place(new DirectionalLight(0xcfe0ff, 2.2), -0.7, 0.7, -1);
    const shadow = this.key.shadow;
    this.key.castShadow = true;
    shadow.mapSize.set(1024, 1024);
    shadow.radius = 3;
    shadow.normalBias = radius * 0.03;
    shadow.bias = -0.0006;
    Object.assign(shadow.camera, {
      left: -radius,
      right: radius,
      top: radius,
      bottom: -radius,
      near: radius,
      far: 5 * radius,
    });
  }

  faceFront(): void {
    const { size } = this;
    const distance = (size.y / 2 / Math.tan((FIELD_OF_VIEW * Math.PI) / 360)) * 1.12 + size.z / 2;
    this.camera.position.copy(this.center).add(new Vector3(0, 0, distance));
    this.camera.near = this.radius / 50;
    this.camera.far = this.radius * 60;
    this.camera.updateProjectionMatrix();
    this.controls.target.copy(this.center);
    this.controls.minDistance = this.radius * 0.6;
    this.controls.maxDistance = this.radius * 20;
    this.controls.update();
    this.draw();
  }

  private onKey(event: KeyboardEvent): void {
    const turns: Record<string, [number, number]> = {
      ArrowLeft: [-0.1, 0],
      ArrowRight: [0.1, 0],
      ArrowUp: [0, -0.1],
      ArrowDown: [0, 0.1],
    };
    const zooms: Record<string, number> = { "+": 0.9, "=": 0.9, "-": 1 / 0.9 };
    const arm = this.camera.position.clone().sub(this.controls.target);
    if (event.key in turns) {
      const [azimuth, elevation] = turns[event.key];
      const polar = Math.min(Math.max(Math.acos(arm.y / arm.length()) + elevation, 0.05), Math.PI - 0.05);
      arm.setFromSphericalCoords(arm.length(), polar, Math.atan2(arm.x, arm.z) + azimuth);
    } else if (event.key in zooms) {
      arm.multiplyScalar(zooms[event.key]);
    } else if (event.key === "Home") {
      this.faceFront();
      event.preventDefault();
      return;
    } else return;
    event.preventDefault();
    this.camera.position.copy(this.controls.target).add(arm);
    this.controls.update();
  }

  /** Setting a canvas' size empties it, so that the picture must be made at once. */
  private resize(): void {
    if (this.fit()) this.render();
  }

  /** Fits canvas and camera to the host; whether the canvas was emptied. */
  private fit(): boolean {
    const { clientWidth: width, clientHeight: height } = this.host;
    if (width === 0 || height === 0) return false;
    const { width: before, height: tall } = this.canvas;
    this.renderer.setPixelRatio(Math.min(devicePixelRatio, 2));
    this.renderer.setSize(width, height);
    this.camera.aspect = (this.heads[1] === null ? width : Math.floor(width / 2)) / height;
    // Where the stage is narrower than the head, the head gets smaller instead of being cut off.
    this.camera.zoom = Math.min((this.camera.aspect * this.size.y) / this.size.x, 1);
    this.camera.updateProjectionMatrix();
    return this.canvas.width !== before || this.canvas.height !== tall;
  }
}

function isDark(): boolean {
  return matchMedia("(prefers-color-scheme: dark)").matches;
}
