// The blend on the GPU: one pass makes positions out of the sparse shapes of each vertex (a morph texture), a second one
// sums the triangles around each vertex into its normal. Both write textures that the drawn surface reads.

import {
  DataTexture,
  FloatType,
  GLSL3,
  NearestFilter,
  RawShaderMaterial,
  RGBAFormat,
  Vector3,
  WebGLRenderTarget,
  type Texture,
  type WebGLRenderer,
} from "three";
import { FullScreenQuad } from "three/addons/postprocessing/Pass.js";
import { shapeWeights, turnOf } from "./blend";
import type { Face } from "./face";
import type { Pose } from "./pose";

/** Texels a row; WebGL 2 promises 2048. */
const WIDTH = 2048;
const MOST_PARTS = 4;

export class GpuBlend {
  private readonly positionPass: FullScreenQuad;
  private readonly normalPass: FullScreenQuad;
  private readonly positionTarget: WebGLRenderTarget;
  private readonly normalTarget: WebGLRenderTarget;
  private readonly weights: DataTexture;
  private readonly sums: Float64Array;
  private readonly turns: Vector3[];

  /** Whether the GPU can draw into textures of floats, and the face has no more parts than the shader. */
  static supports(renderer: WebGLRenderer, face: Face, vertices: number): boolean {
    const largest = renderer.capabilities.maxTextureSize;
    const entries = entryCount(face);
    return (
      renderer.getContext().getExtension("EXT_color_buffer_float") !== null &&
      face.parts.length <= MOST_PARTS &&
      Math.max(entries, 8 * vertices) / WIDTH < largest
    );
  }

  /** @param owners for each vertex the one whose normal it shares. */
  constructor(
    private readonly renderer: WebGLRenderer,
    neutral: Float32Array,
    indices: Uint32Array,
    private readonly face: Face,
    owners: Uint32Array,
  ) {
    const count = neutral.length / 3;
    const shapes = face.units.length + face.pairs.length;
    this.sums = new Float64Array(2 * shapes);
    this.weights = floatTexture(shapes);
    this.turns = Array.from({ length: MOST_PARTS }, () => new Vector3());
    this.positionTarget = target(count);
    this.normalTarget = target(count);
    const { entries, ranges } = entryTextures(face, count);
    const rest = floatTexture(count);
    for (let vertex = 0; vertex < count; vertex++) {
      rest.image.data!.set(neutral.subarray(3 * vertex, 3 * vertex + 3), 4 * vertex);
      rest.image.data![4 * vertex + 3] = face.share[vertex];
    }
    const pivots = Array.from(
      { length: MOST_PARTS },
      (_, part) => new Vector3(...(face.parts[part]?.pivot ?? [0, 0, 0])),
    );
    this.positionPass = pass(POSITIONS, {
      rest: { value: rest },
      entries: { value: entries },
      ranges: { value: ranges },
      weights: { value: this.weights },
      pivots: { value: pivots },
      turns: { value: this.turns },
    });
    const around = triangleTextures(indices, owners, count);
    this.normalPass = pass(NORMALS, { positions: { value: this.positionTarget.texture }, ...around });
  }

  /** Frees the graphics card's memory. */
  dispose(): void {
    this.positionTarget.dispose();
    this.normalTarget.dispose();
    for (const pass of [this.positionPass, this.normalPass]) {
      const material = pass.material as RawShaderMaterial;
      for (const { value } of Object.values(material.uniforms)) if (value instanceof DataTexture) value.dispose();
      material.dispose();
      pass.dispose();
    }
  }

  get positions(): Texture {
    return this.positionTarget.texture;
  }

  get normals(): Texture {
    return this.normalTarget.texture;
  }

  apply(pose: Pose): void {
    shapeWeights(this.face, pose, this.sums);
    const shapes = this.sums.length / 2;
    const data = this.weights.image.data as Float32Array;
    for (let shape = 0; shape < shapes; shape++) {
      data[4 * shape] = this.sums[shape];
      data[4 * shape + 1] = this.sums[shapes + shape];
    }
    this.weights.needsUpdate = true;
    this.face.parts.forEach((part, place) => this.turns[place].set(...turnOf(part, pose)));
    const before = this.renderer.getRenderTarget();
    this.renderer.setRenderTarget(this.positionTarget);
    this.positionPass.render(this.renderer);
    this.renderer.setRenderTarget(this.normalTarget);
    this.normalPass.render(this.renderer);
    this.renderer.setRenderTarget(before);
  }

  /** Positions or normals back in memory, three numbers a vertex; slow, for checks. */
  read(what: "positions" | "normals", vertices: number): Float32Array {
    const from = what === "positions" ? this.positionTarget : this.normalTarget;
    const texels = new Float32Array(4 * from.width * from.height);
    this.renderer.readRenderTargetPixels(from, 0, 0, from.width, from.height, texels);
    return Float32Array.from({ length: 3 * vertices }, (_, place) => texels[4 * Math.floor(place / 3) + (place % 3)]);
  }
}

function entryCount(face: Face): number {
  const shapes = [...face.units, ...face.pairs.map((pair) => pair.shape)];
  return shapes.reduce((sum, shape) => sum + shape.vertices.length, 0);
}

/** For each vertex its offsets with the shape that each belongs to, and where they begin; the part that it is of. */
function entryTextures(face: Face, count: number): { entries: DataTexture; ranges: DataTexture } {
  const shapes = [...face.units, ...face.pairs.map((pair) => pair.shape)];
  const sizes = new Uint32Array(count);
  for (const { vertices } of shapes) for (const vertex of vertices) sizes[vertex]++;
  const starts = startsOf(sizes);
  const entries = floatTexture(entryCount(face));
  const filled = starts.slice();
  shapes.forEach(({ vertices, offsets }, shape) => {
    vertices.forEach((vertex, entry) => {
      const at = 4 * filled[vertex]++;
      entries.image.data!.set(offsets.subarray(3 * entry, 3 * entry + 3), at);
      entries.image.data![at + 3] = shape;
    });
  });
  const ranges = floatTexture(count);
  for (let vertex = 0; vertex < count; vertex++)
    ranges.image.data!.set([starts[vertex], sizes[vertex], -1], 4 * vertex);
  face.parts.forEach((part, place) => {
    for (const vertex of part.vertices) ranges.image.data![4 * vertex + 2] = place;
  });
  return { entries, ranges };
}

function triangleTextures(indices: Uint32Array, owners: Uint32Array, count: number) {
  const sizes = new Uint32Array(count);
  for (const vertex of indices) sizes[owners[vertex]]++;
  const starts = startsOf(sizes);
  const triangles = floatTexture(indices.length);
  const filled = starts.slice();
  for (let corner = 0; corner < indices.length; corner++) {
    const first = corner - (corner % 3);
    triangles.image.data!.set(indices.subarray(first, first + 3), 4 * filled[owners[indices[corner]]]++);
  }
  const ranges = floatTexture(count);
  for (let vertex = 0; vertex < count; vertex++) {
    ranges.image.data!.set([starts[owners[vertex]], sizes[owners[vertex]]], 4 * vertex);
  }
  return { triangles: { value: triangles }, ranges: { value: ranges } };
}

function startsOf(sizes: Uint32Array): Uint32Array {
  const starts = new Uint32Array(sizes.length);
  for (let place = 1; place < sizes.length; place++) starts[place] = starts[place - 1] + sizes[place - 1];
  return starts;
}

function floatTexture(texels: number): DataTexture {
  const rows = Math.max(Math.ceil(texels / WIDTH), 1);
  const texture = new DataTexture(new Float32Array(4 * WIDTH * rows), WIDTH, rows, RGBAFormat, FloatType);
  texture.needsUpdate = true;
  return texture;
}

function target(texels: number): WebGLRenderTarget {
  return new WebGLRenderTarget(WIDTH, Math.max(Math.ceil(texels / WIDTH), 1), {
    type: FloatType,
    minFilter: NearestFilter,
    magFilter: NearestFilter,
    depthBuffer: false,
  });
}

function pass(body: string, uniforms: Record<string, { value: unknown }>): FullScreenQuad {
  return new FullScreenQuad(
    new RawShaderMaterial({
      glslVersion: GLSL3,
      uniforms,
      depthTest: false,
      depthWrite: false,
      vertexShader: "in vec3 position; void main() { gl_Position = vec4(position.xy, 0.0, 1.0); }",
      fragmentShader: `${HEAD}${body}`,
    }),
  );
}

const HEAD = `precision highp float; precision highp int; precision highp sampler2D;
out vec4 result;
ivec2 place(int index) { return ivec2(index % ${WIDTH}, index / ${WIDTH}); }
`;

const POSITIONS = `uniform sampler2D rest, entries, ranges, weights;
uniform vec3 pivots[${MOST_PARTS}], turns[${MOST_PARTS}];
void main() {
  ivec2 here = ivec2(gl_FragCoord.xy);
  vec4 neutral = texelFetch(rest, here, 0);
  vec4 range = texelFetch(ranges, here, 0);
  vec3 point = neutral.xyz;
  int first = int(range.x), last = first + int(range.y);
  for (int entry = first; entry < last; entry++) {
    vec4 offset = texelFetch(entries, place(entry), 0);
    vec2 weight = texelFetch(weights, place(int(offset.w)), 0).xy;
    point += mix(weight.y, weight.x, neutral.w) * offset.xyz;
  }
  int part = int(range.z);
  if (part >= 0) {
    vec3 turn = turns[part], arm = neutral.xyz - pivots[part];
    float square = dot(turn, turn), angle = sqrt(square);
    float once = angle > 0.0 ? sin(angle) / angle : 0.0;
    float half_ = angle > 0.0 ? sin(0.5 * angle) / angle : 0.0;
    point = neutral.xyz + once * cross(turn, arm) + 2.0 * half_ * half_ * (turn * dot(turn, arm) - square * arm);
  }
  result = vec4(point, 1.0);
}`;

const NORMALS = `uniform sampler2D positions, triangles, ranges;
vec3 at(float index) { return texelFetch(positions, place(int(index)), 0).xyz; }
void main() {
  vec2 range = texelFetch(ranges, ivec2(gl_FragCoord.xy), 0).xy;
  int first = int(range.x), last = first + int(range.y);
  vec3 sum = vec3(0.0);
  for (int entry = first; entry < last; entry++) {
    vec3 corners = texelFetch(triangles, place(entry), 0).xyz;
    vec3 a = at(corners.x);
    sum += cross(at(corners.y) - a, at(corners.z) - a) * 1e6;
  }
  float size = length(sum);
  result = vec4(size > 0.0 ? sum / size : vec3(0.0), 1.0);
}`;
