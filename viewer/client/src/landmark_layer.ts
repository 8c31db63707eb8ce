// The 68 landmarks on the head: they ride with the pose, and say their number and name under the pointer.

import { BufferAttribute, BufferGeometry, Points, ShaderMaterial, Vector3, type PerspectiveCamera } from "three";
import { element } from "./elements";
import type { Head } from "./head";
import { SurfacePoints } from "./head_map";
import type { HeadMap } from "./messages";
import type { Stage } from "./stage";

/** CSS pixels. */
const SIZE = 8;
const REACH = 12;

export class LandmarkLayer {
  readonly label = element("div", { class: "landmark", role: "status", hidden: true });
  private readonly geometry = new BufferGeometry();
  private readonly points: Points;
  private readonly places: SurfacePoints;
  private readonly ended = new AbortController();
  private readonly onDraw = (camera: PerspectiveCamera): void => this.place(camera);
  private chosen = -1;

  constructor(
    private readonly head: Head,
    private readonly stage: Stage,
    private readonly map: HeadMap,
  ) {
    this.places = new SurfacePoints(head, map.landmark_vertices, map.landmark_shares);
    const count = map.landmark_names.length;
    this.geometry.setAttribute("position", new BufferAttribute(this.places.positions, 3));
    this.geometry.setAttribute("chosen", new BufferAttribute(new Float32Array(count), 1));
    this.points = new Points(this.geometry, dots());
    this.points.frustumCulled = false;
    this.points.renderOrder = 1;
    stage.attach(this.points);
    stage.beforeDraw.add(this.onDraw);
    const { signal } = this.ended;
    stage.canvas.addEventListener("pointermove", (event) => this.point(event.offsetX, event.offsetY), { signal });
    stage.canvas.addEventListener("pointerleave", () => this.choose(-1), { signal });
  }

  /** Follows the head's surface, metres. */
  follow(surface: Float32Array): void {
    this.places.follow(surface);
    this.geometry.attributes["position"].needsUpdate = true;
  }

  dispose(): void {
    this.ended.abort();
    this.stage.beforeDraw.delete(this.onDraw);
    this.points.removeFromParent();
    this.geometry.dispose();
    this.label.remove();
    this.stage.draw();
  }

  private point(x: number, y: number): void {
    let [nearest, reach] = [-1, REACH];
    for (let point = 0; point < this.map.landmark_names.length; point++) {
      const seen = this.onScreen(point);
      if (seen === null) continue;
      const away = Math.hypot(seen[0] - x, seen[1] - y);
      if (away < reach) [nearest, reach] = [point, away];
    }
    this.choose(nearest);
  }

  private choose(point: number): void {
    if (point === this.chosen) return;
    this.chosen = point;
    const marks = this.geometry.attributes["chosen"];
    for (let each = 0; each < marks.count; each++) marks.setX(each, Number(each === point));
    marks.needsUpdate = true;
    this.label.hidden = point < 0;
    if (point >= 0) {
      this.label.replaceChildren(
        element("strong", {}, String(point + 1)),
        ` ${this.map.landmark_names[point].replaceAll("_", " ")}`,
      );
    }
    this.stage.draw();
  }

  private place(_camera: PerspectiveCamera): void {
    if (this.chosen < 0) return;
    const seen = this.onScreen(this.chosen);
    if (seen === null) return;
    const left = Math.min(seen[0] + 12, this.stage.canvas.clientWidth - 170);
    this.label.style.transform = `translate(${left}px, ${Math.max(seen[1] - 32, 4)}px)`;
  }

  /** CSS pixels from the canvas' upper left; null behind the head. */
  private onScreen(point: number): [number, number] | null {
    const { camera, canvas } = this.stage;
    const { mesh } = this.head.drawn;
    const world = new Vector3().fromArray(this.places.positions, 3 * point).applyMatrix4(mesh.matrixWorld);
    const row = this.places.rowOf(point);
    const normal = new Vector3().fromArray(this.head.normals.normals, 3 * row).transformDirection(mesh.matrixWorld);
    if (normal.dot(camera.position.clone().sub(world)) < 0) return null;
    world.project(camera);
    const width = this.stage.comparing ? Math.floor(canvas.clientWidth / 2) : canvas.clientWidth;
    return [((world.x + 1) / 2) * width, ((1 - world.y) / 2) * canvas.clientHeight];
  }
}

function dots(): ShaderMaterial {
  return new ShaderMaterial({
    transparent: true,
    depthWrite: false,
    uniforms: { size: { value: SIZE * Math.min(devicePixelRatio, 2) } },
    // Drawn a little before the surface on which the points lie.
    vertexShader: `uniform float size; attribute float chosen; varying float strong;
void main() {
  strong = chosen;
  gl_Position = projectionMatrix * modelViewMatrix * vec4(position, 1.0);
  gl_Position.z -= 0.004 * gl_Position.w;
  gl_PointSize = size * (1.0 + 0.6 * chosen);
}`,
    fragmentShader: `varying float strong;
void main() {
  float away = length(gl_PointCoord - 0.5) * 2.0;
  if (away > 1.0) discard;
  vec3 color = mix(vec3(0.05, 0.42, 0.85), vec3(0.85, 0.2, 0.05), strong);
  gl_FragColor = vec4(mix(vec3(1.0), color, 1.0 - smoothstep(0.6, 0.75, away)), 1.0 - smoothstep(0.9, 1.0, away));
}`,
  });
}
