// The drawn scene: lights, camera, one mesh. It draws only when something changed.

import {
  Box3,
  BufferAttribute,
  BufferGeometry,
  DirectionalLight,
  HemisphereLight,
  Material as ThreeMaterial,
  Matrix4,
  Mesh,
  NeutralToneMapping,
  PCFShadowMap,
  PerspectiveCamera,
  PMREMGenerator,
  Scene,
  Vector3,
  WebGLRenderer,
} from "three";
import { GpuBlend } from "./gpu_blend";
import type { Face } from "./face";
import type { Pose } from "./pose";
import { readsPose, shadowMaterial, surfaceUniforms, viewMaterial, type View } from "./surface";
import { OrbitControls } from "three/addons/controls/OrbitControls.js";
import { RoomEnvironment } from "three/addons/environments/RoomEnvironment.js";

const FIELD_OF_VIEW = 24;

export class Stage {
  readonly canvas: HTMLCanvasElement;
  private readonly renderer: WebGLRenderer;
  private readonly scene = new Scene();
  private readonly camera = new PerspectiveCamera(FIELD_OF_VIEW, 1, 0.01, 100);
  private readonly controls: OrbitControls;
  private readonly key = new DirectionalLight(0xfff3e6, 1.9);
  private readonly geometry = new BufferGeometry();
  private readonly box = new Box3();
  private readonly center = new Vector3();
  private radius = 1;
  private drawPending = false;
  private readonly uniforms = surfaceUniforms();
  private mesh: Mesh | null = null;
  private shaded: ThreeMaterial[] = [];
  private gpu: GpuBlend | null = null;
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

  /** Shows a surface; `positions` and `normals` may be changed in place later, followed by `surfaceMoved`. */
  show(surface: {
    positions: Float32Array;
    normals: Float32Array;
    indices: Uint32Array;
    attributes: Record<string, BufferAttribute>;
    groups: readonly { start: number; count: number; material: number }[];
    materials: ThreeMaterial[];
    /** The face's left, up and front; the head is drawn upright and facing us. */
    axes: Face["axes"];
  }): void {
    this.geometry.setAttribute("position", new BufferAttribute(surface.positions, 3));
    this.geometry.setAttribute("normal", new BufferAttribute(surface.normals, 3));
    for (const [name, attribute] of Object.entries(surface.attributes)) this.geometry.setAttribute(name, attribute);
    this.geometry.setAttribute("rest", new BufferAttribute(surface.positions.slice(), 3));
    this.geometry.setIndex(new BufferAttribute(surface.indices, 1));
    for (const group of surface.groups) this.geometry.addGroup(group.start, group.count, group.material);
    this.shaded = surface.materials.map((material) =>
      readsPose(material, this.uniforms, String(material.userData["look"] ?? "plain")),
    );
    const mesh = new Mesh(this.geometry, this.shaded);
    mesh.customDepthMaterial = shadowMaterial(this.uniforms);
    this.mesh = mesh;
    mesh.castShadow = mesh.receiveShadow = true;
    mesh.frustumCulled = false;
    if (surface.axes !== null) {
      const [left, up, front] = surface.axes.map((axis) => new Vector3(...axis));
      mesh.quaternion.setFromRotationMatrix(new Matrix4().makeBasis(left, up, front).transpose());
    }
    mesh.updateMatrixWorld();
    this.box.setFromObject(mesh, true).getCenter(this.center);
    this.radius = Math.max(this.box.getSize(new Vector3()).length() / 2, 1e-6);
    this.scene.add(mesh);
    this.light();
    this.resize();
    this.faceFront();
  }

  /** Whether a GPU of its own draws, rather than the processor, and can blend. */
  blendsWell(face: Face, vertices: number): boolean {
    const context = this.renderer.getContext();
    const info = context.getExtension("WEBGL_debug_renderer_info");
    const name = String(context.getParameter(info?.UNMASKED_RENDERER_WEBGL ?? context.RENDERER));
    return !/swiftshader|llvmpipe|software/i.test(name) && GpuBlend.supports(this.renderer, face, vertices);
  }

  /** Starts to blend on the GPU; null ends it. False where the GPU cannot. */
  blendOnGpu(rig: { positions: Float32Array; indices: Uint32Array; face: Face; owners: Uint32Array } | null): boolean {
    if (rig !== null && !GpuBlend.supports(this.renderer, rig.face, rig.positions.length / 3)) return false;
    if (rig !== null) {
      this.gpu ??= new GpuBlend(this.renderer, rig.positions, rig.indices, rig.face, rig.owners);
      this.uniforms.facePositions.value = this.gpu.positions;
      this.uniforms.faceNormals.value = this.gpu.normals;
    }
    this.uniforms.onGpu.value = rig === null ? 0 : 1;
    return true;
  }

  /** Puts a pose into the GPU's textures, after `blendOnGpu`. */
  poseOnGpu(pose: Pose): void {
    this.gpu?.apply(pose);
    this.draw();
  }

  /** What the GPU's textures hold, for checks. */
  readGpu(what: "positions" | "normals"): Float32Array | null {
    return this.gpu?.read(what, this.geometry.attributes["position"].count) ?? null;
  }

  /** @param hottest millimetres at the end of the heat map. */
  setView(view: View, hottest: number): void {
    this.uniforms.hottest.value = hottest / 1000;
    if (this.mesh === null) return;
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const single = view === "shaded" ? null : viewMaterial(view, this.uniforms, dark);
    this.mesh.material = single === null ? this.shaded : this.shaded.map(() => single);
    this.mesh.castShadow = this.mesh.receiveShadow = single === null;
    this.draw();
  }

  /** The view as a PNG, without what lies behind the head. */
  picture(): Promise<Blob | null> {
    this.renderer.render(this.scene, this.camera);
    return new Promise((done) => this.canvas.toBlob(done, "image/png"));
  }

  surfaceMoved(): void {
    this.geometry.attributes["position"].needsUpdate = true;
    this.geometry.attributes["normal"].needsUpdate = true;
    this.draw();
  }

  /** Draws in the next animation frame, once however often it is asked. */
  draw(): void {
    if (this.drawPending) return;
    this.drawPending = true;
    requestAnimationFrame(() => {
      this.drawPending = false;
      this.renderer.render(this.scene, this.camera);
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
    this.geometry.dispose();
    this.renderer.dispose();
    this.renderer.forceContextLoss();
  }

  private light(): void {
    const { center, radius, scene } = this;
    const room = new PMREMGenerator(this.renderer).fromScene(new RoomEnvironment(), 0.04);
    scene.environment = room.texture;
    scene.environmentIntensity = 0.32;
    scene.add(new HemisphereLight(0xf4f7ff, 0x8a7a70, 0.7));
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
    const size = this.box.getSize(new Vector3());
    const half = Math.max(size.y, size.x / this.camera.aspect) / 2;
    const distance = (half / Math.tan((FIELD_OF_VIEW * Math.PI) / 360)) * 1.12 + size.z / 2;
    this.camera.position.copy(this.center).add(new Vector3(0, 0, distance));
    this.camera.near = this.radius / 50;
    this.camera.far = this.radius * 60;
    this.camera.updateProjectionMatrix();
    this.controls.target.copy(this.center);
    this.controls.minDistance = this.radius * 0.6;
    this.controls.maxDistance = this.radius * 20;
    this.controls.update();
    this.renderer.render(this.scene, this.camera);
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

  private resize(): void {
    const { clientWidth: width, clientHeight: height } = this.host;
    if (width === 0 || height === 0) return;
    this.renderer.setPixelRatio(Math.min(devicePixelRatio, 2));
    this.renderer.setSize(width, height);
    this.camera.aspect = width / height;
    this.camera.updateProjectionMatrix();
    this.renderer.render(this.scene, this.camera);
  }
}
