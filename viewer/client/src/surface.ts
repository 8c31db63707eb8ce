// What every material of the head shares: vertices from buffers (JS blend) or textures (GPU blend), and ways to see it.

import {
  DataTexture,
  DoubleSide,
  FloatType,
  MeshBasicMaterial,
  MeshDepthMaterial,
  MeshNormalMaterial,
  RGBADepthPacking,
  RGBAFormat,
  type Material,
  type Texture,
} from "three";

export const VIEWS = ["shaded", "wireframe", "normals", "displacement", "regions"] as const;
export type View = (typeof VIEWS)[number];

export interface SurfaceUniforms {
  readonly facePositions: { value: Texture };
  readonly faceNormals: { value: Texture };
  /** 1 while the textures hold the pose. */
  readonly onGpu: { value: number };
  /** Displacement at the end of the heat map's colours, metres. */
  readonly hottest: { value: number };
}

export function surfaceUniforms(): SurfaceUniforms {
  const empty = new DataTexture(new Float32Array(4), 1, 1, RGBAFormat, FloatType);
  empty.needsUpdate = true;
  return {
    facePositions: { value: empty },
    faceNormals: { value: empty },
    onGpu: { value: 0 },
    hottest: { value: 0.01 },
  };
}

const READ_VERTEX = `
uniform highp sampler2D facePositions, faceNormals;
uniform float onGpu;
ivec2 faceTexel() { int width = textureSize(facePositions, 0).x; return ivec2(gl_VertexID % width, gl_VertexID / width); }
`;

/** Makes a built-in material read its vertices where the pose is. Its own change of the shader stays. */
export function readsPose(material: Material, uniforms: SurfaceUniforms, key: string): Material {
  const own = material.onBeforeCompile.bind(material);
  material.onBeforeCompile = (shader, renderer) => {
    own(shader, renderer);
    Object.assign(shader.uniforms, uniforms);
    shader.vertexShader = shader.vertexShader
      .replace("#include <common>", `#include <common>\n${READ_VERTEX}`)
      .replace(
        "#include <beginnormal_vertex>",
        `#include <beginnormal_vertex>\nif (onGpu > 0.5) objectNormal = texelFetch(faceNormals, faceTexel(), 0).xyz;`,
      )
      .replace(
        "#include <begin_vertex>",
        `#include <begin_vertex>\nif (onGpu > 0.5) transformed = texelFetch(facePositions, faceTexel(), 0).xyz;`,
      );
  };
  material.customProgramCacheKey = () => key;
  return material;
}

export function shadowMaterial(uniforms: SurfaceUniforms): Material {
  return readsPose(new MeshDepthMaterial({ depthPacking: RGBADepthPacking }), uniforms, "shadow");
}

/** The one material of a view in which all parts look alike. */
export function viewMaterial(view: Exclude<View, "shaded">, uniforms: SurfaceUniforms, dark: boolean): Material {
  if (view === "normals") return readsPose(new MeshNormalMaterial({ side: DoubleSide }), uniforms, view);
  if (view === "wireframe") {
    const lines = new MeshBasicMaterial({ wireframe: true, color: dark ? 0xb9c4d2 : 0x33404f });
    return readsPose(lines, uniforms, view);
  }
  if (view === "regions") return regionMaterial(uniforms);
  const heat = new MeshBasicMaterial({ side: DoubleSide, toneMapped: false });
  heat.onBeforeCompile = (shader) => {
    shader.vertexShader = shader.vertexShader
      .replace(
        "#include <common>",
        "#include <common>\nattribute vec3 rest;\nvarying float displacement;\nvarying vec3 seen;",
      )
      .replace(
        "#include <project_vertex>",
        "displacement = distance(transformed, rest);\n#include <project_vertex>\nseen = mvPosition.xyz;",
      );
    shader.fragmentShader = shader.fragmentShader
      .replace(
        "#include <common>",
        `#include <common>\nuniform float hottest;\nvarying float displacement;\nvarying vec3 seen;\n${HEAT}`,
      )
      .replace("#include <color_fragment>", HEAT_COLOR);
  };
  return readsPose(heat, uniforms, view);
}

/** Colours of a head's regions, which its attribute `region` holds. */
function regionMaterial(uniforms: SurfaceUniforms): Material {
  const regions = new MeshBasicMaterial({ side: DoubleSide, toneMapped: false });
  regions.onBeforeCompile = (shader) => {
    shader.vertexShader = shader.vertexShader
      .replace(
        "#include <common>",
        "#include <common>\nattribute vec3 region;\nvarying vec3 regionColor;\nvarying vec3 seen;",
      )
      .replace("#include <project_vertex>", "#include <project_vertex>\nregionColor = region;\nseen = mvPosition.xyz;");
    shader.fragmentShader = shader.fragmentShader
      .replace("#include <common>", "#include <common>\nvarying vec3 regionColor;\nvarying vec3 seen;")
      .replace(
        "#include <color_fragment>",
        `vec3 facing = normalize(cross(dFdx(seen), dFdy(seen)));
diffuseColor.rgb = regionColor * (0.5 + 0.5 * abs(facing.z));`,
      );
  };
  return readsPose(regions, uniforms, "regions");
}

/** Colours of the heat map from rest to most, as CSS; the shader mixes the same ones. */
export const HEAT_COLORS = ["#39424e", "#3056a8", "#1f9aa8", "#7fc24a", "#f3d13a", "#d8432b"] as const;

function glslColor(css: string): string {
  const channels = [1, 3, 5].map((at) => parseInt(css.slice(at, at + 2), 16) / 255);
  const linear = channels.map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return `vec3(${linear.map((c) => c.toFixed(4)).join(", ")})`;
}

const HEAT = `vec3 heatColor(float share) {
  vec3 colors[${HEAT_COLORS.length}] = vec3[${HEAT_COLORS.length}](${HEAT_COLORS.map(glslColor).join(", ")});
  float place = clamp(share, 0.0, 1.0) * ${(HEAT_COLORS.length - 1).toFixed(1)};
  int low = min(int(place), ${HEAT_COLORS.length - 2});
  return mix(colors[low], colors[low + 1], place - float(low));
}
`;
// A little shading from the drawn triangles, so that the face can still be told.
const HEAT_COLOR = `vec3 facing = normalize(cross(dFdx(seen), dFdy(seen)));
diffuseColor.rgb = heatColor(displacement / hottest) * (0.62 + 0.38 * abs(facing.z));`;
