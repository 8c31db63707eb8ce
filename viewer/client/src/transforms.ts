// Column-major 4x4 matrices, as glTF stores them; kept apart from three.js so that the rig can be read without a page.

import type { Matrix, NodeJson } from "./glb";

export const IDENTITY: Matrix = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];

export function multiply(left: Matrix, right: Matrix): number[] {
  return Array.from({ length: 16 }, (_, entry) => {
    const [row, column] = [entry % 4, entry >> 2];
    let sum = 0;
    for (let inner = 0; inner < 4; inner++) sum += left[4 * inner + row] * right[4 * column + inner];
    return sum;
  });
}

/** A node's own transform: its matrix, or translation x rotation (unit quaternion x, y, z, w) x scale. */
export function nodeMatrix(node: NodeJson): Matrix {
  if (node.matrix !== undefined) return node.matrix;
  const [x, y, z, w] = node.rotation ?? [0, 0, 0, 1];
  const [sx, sy, sz] = node.scale ?? [1, 1, 1];
  const [tx, ty, tz] = node.translation ?? [0, 0, 0];
  // prettier-ignore
  return [
    (1 - 2 * (y * y + z * z)) * sx, 2 * (x * y + z * w) * sx, 2 * (x * z - y * w) * sx, 0,
    2 * (x * y - z * w) * sy, (1 - 2 * (x * x + z * z)) * sy, 2 * (y * z + x * w) * sy, 0,
    2 * (x * z + y * w) * sz, 2 * (y * z - x * w) * sz, (1 - 2 * (x * x + y * y)) * sz, 0,
    tx, ty, tz, 1,
  ];
}

/** Points (w = 1) or offsets (w = 0), three numbers a row, through a matrix. */
export function transformRows(rows: Float32Array, matrix: Matrix, w: 0 | 1): Float32Array {
  const moved = new Float32Array(rows.length);
  for (let start = 0; start < rows.length; start += 3) {
    const [x, y, z] = [rows[start], rows[start + 1], rows[start + 2]];
    for (let axis = 0; axis < 3; axis++) {
      moved[start + axis] = matrix[axis] * x + matrix[4 + axis] * y + matrix[8 + axis] * z + w * matrix[12 + axis];
    }
  }
  return moved;
}

/** Whether a matrix does nothing but scale, alike along all axes. */
export function isPlainScale(matrix: Matrix): boolean {
  const plain = [matrix[0], 0, 0, 0, 0, matrix[0], 0, 0, 0, 0, matrix[0], 0, 0, 0, 0, 1];
  return matrix[0] > 0 && plain.every((value, place) => value === matrix[place]);
}
