// An iris and a pupil for eyeballs that come as plain white spheres. They are drawn where the neutral eye looks (+z)
// and travel with its vertices, so that the gaze can be seen.

import type { MeshStandardMaterial } from "three";
import type { Rig } from "./rig";

export const IRIS_ATTRIBUTE = "eyeDirection";

/** Sine of the angle that the iris' rim makes at the centre of the eyeball: 6 mm on a sphere of 14 mm. */
const IRIS_RADIUS = 0.43;
const PUPIL_RADIUS = 0.17;
/** A set of vertices is an eyeball when all of them lie this close to a sphere, as a share of its radius. */
const ROUNDNESS = 0.15;

/** For each vertex of an eyeball the direction from its centre; null unless the material covers spheres. */
export function irisDirections(rig: Rig, material: number): Float32Array | null {
  const vertices = new Set<number>();
  for (const group of rig.groups) {
    if (group.material !== material) continue;
    for (const vertex of rig.indices.subarray(group.start, group.start + group.count)) vertices.add(vertex);
  }
  const directions = new Float32Array(rig.positions.length);
  const axes = rig.face.axes ?? IDENTITY_AXES;
  const leftward = (vertex: number): number => dot(axes[0], rig.positions.subarray(3 * vertex, 3 * vertex + 3));
  const middle = [...vertices].reduce((sum, vertex) => sum + leftward(vertex), 0) / vertices.size;
  for (const side of [-1, 1]) {
    const ball = [...vertices].filter((vertex) => side * (leftward(vertex) - middle) > 0);
    const sphere = fitSphere(rig.positions, ball);
    if (sphere === null) return null;
    for (const vertex of ball) {
      const offset = sphere.center.map((center, axis) => rig.positions[3 * vertex + axis] - center);
      if (Math.abs(Math.hypot(...offset) / sphere.radius - 1) > ROUNDNESS) return null;
      directions.set(
        axes.map((axis) => dot(axis, offset) / sphere.radius),
        3 * vertex,
      );
    }
  }
  return directions;
}

const IDENTITY_AXES = [
  [1, 0, 0],
  [0, 1, 0],
  [0, 0, 1],
];

function dot(axis: readonly number[], vector: ArrayLike<number>): number {
  return axis[0] * vector[0] + axis[1] * vector[1] + axis[2] * vector[2];
}

/** Least-squares sphere: |p|^2 = 2 c.p + (r^2 - |c|^2) is linear in c and the last term. */
function fitSphere(positions: Float32Array, ball: number[]): { center: number[]; radius: number } | null {
  if (ball.length < 12) return null;
  const mean = [0, 1, 2].map(
    (axis) => ball.reduce((sum, vertex) => sum + positions[3 * vertex + axis], 0) / ball.length,
  );
  const normal = Array.from({ length: 4 }, () => new Array<number>(5).fill(0));
  for (const vertex of ball) {
    const point = mean.map((center, axis) => positions[3 * vertex + axis] - center);
    const row = [2 * point[0], 2 * point[1], 2 * point[2], 1, point[0] ** 2 + point[1] ** 2 + point[2] ** 2];
    for (let i = 0; i < 4; i++) for (let j = 0; j < 5; j++) normal[i][j] += row[i] * row[j];
  }
  const solution = solve(normal);
  if (solution === null) return null;
  const [x, y, z, rest] = solution;
  return { center: [mean[0] + x, mean[1] + y, mean[2] + z], radius: Math.sqrt(rest + x * x + y * y + z * z) };
}

/** Gauss-Jordan with row pivots on an augmented matrix. */
function solve(rows: number[][]): number[] | null {
  for (let column = 0; column < rows.length; column++) {
    const pivot = rows
      .slice(column)
      .reduce((best, row) => (Math.abs(row[column]) > Math.abs(best[column]) ? row : best));
    if (Math.abs(pivot[column]) < 1e-20) return null;
    rows[rows.indexOf(pivot)] = rows[column];
    rows[column] = pivot.map((entry) => entry / pivot[column]);
    rows.forEach((row, index) => {
      if (index !== column) rows[index] = row.map((entry, place) => entry - row[column] * rows[column][place]);
    });
  }
  return rows.map((row) => row[rows.length]);
}

/** Lets a material draw iris, pupil and limbal ring around the attribute's +z. */
export function paintIris(material: unknown): void {
  const eyes = material as MeshStandardMaterial;
  eyes.roughness = Math.min(eyes.roughness, 0.12);
  eyes.userData["look"] = "iris";
  eyes.onBeforeCompile = (shader) => {
    shader.vertexShader = shader.vertexShader
      .replace("#include <common>", `#include <common>\nattribute vec3 ${IRIS_ATTRIBUTE};\nvarying vec3 vEyeDirection;`)
      .replace("#include <begin_vertex>", `#include <begin_vertex>\nvEyeDirection = ${IRIS_ATTRIBUTE};`);
    shader.fragmentShader = shader.fragmentShader
      .replace("#include <common>", "#include <common>\nvarying vec3 vEyeDirection;")
      .replace("#include <color_fragment>", `#include <color_fragment>\n${IRIS_SHADER}`);
  };
}

const IRIS_SHADER = `
vec3 eyeDirection = normalize(vEyeDirection);
float irisDistance = eyeDirection.z > 0.0 ? length(eyeDirection.xy) / ${IRIS_RADIUS.toFixed(3)} : 9.0;
float irisAngle = atan(eyeDirection.y, eyeDirection.x);
float fibres = 0.5 + 0.25 * sin(irisAngle * 23.0 + 3.0 * irisDistance);
fibres += 0.25 * sin(irisAngle * 41.0 - 5.0 * irisDistance);
vec3 irisColor = mix(vec3(0.10, 0.17, 0.22), vec3(0.28, 0.40, 0.44), fibres * (1.0 - smoothstep(0.35, 1.0, irisDistance)));
irisColor *= 1.0 - 0.75 * smoothstep(0.78, 1.0, irisDistance);
float pupilRadius = ${(PUPIL_RADIUS / IRIS_RADIUS).toFixed(3)};
irisColor = mix(irisColor, vec3(0.006), 1.0 - smoothstep(pupilRadius - 0.05, pupilRadius + 0.05, irisDistance));
diffuseColor.rgb = mix(diffuseColor.rgb, irisColor, 1.0 - smoothstep(0.96, 1.06, irisDistance));
`;
