// Turns a GLB into one surface: all primitives in one vertex array, morph targets as sparse offsets, one clip.

import { Clip } from "./clip";
import { columnOf } from "./pose";
import {
  Glb,
  GlbError,
  type AnimationJson,
  type Matrix,
  type MeshJson,
  type NodeJson,
  type PrimitiveJson,
} from "./glb";
import { faceOf, leftShare, midPlaneOf, type Face } from "./face";
import { IDENTITY, isPlainScale, multiply, nodeMatrix, transformRows } from "./transforms";

/** One morph target: offsets of the vertices it moves. */
export interface Target {
  readonly name: string;
  readonly vertices: Uint32Array;
  /** Three numbers a vertex, in metres. */
  readonly offsets: Float32Array;
  /** What the offsets are whole numbers of, where the file came in 16 bits; null where it did not. */
  readonly step: number | null;
}

export interface Material {
  readonly name: string;
  /** Linear RGBA. */
  readonly color: readonly [number, number, number, number];
  readonly roughness: number;
  readonly metallic: number;
  readonly doubleSided: boolean;
  readonly transparent: boolean;
  readonly image: { readonly bytes: Uint8Array; readonly mime: string } | null;
}

/** Triangles start..start+count (in index entries) drawn with one material. */
export interface Group {
  readonly start: number;
  readonly count: number;
  readonly material: number;
}

export interface Rig {
  /** Neutral positions, metres. */
  readonly positions: Float32Array;
  readonly indices: Uint32Array;
  readonly groups: readonly Group[];
  readonly materials: readonly Material[];
  readonly uv: Float32Array | null;
  readonly colors: Float32Array | null;
  /** The file's own normals, only used to tell hard edges from seams. */
  readonly normals: Float32Array | null;
  /** For each row the file's vertex, where rows are more than vertices. */
  readonly source: Float32Array | null;
  readonly face: Face;
  readonly clip: Clip | null;
}

interface Block {
  /** Share of the subject's left half. */
  readonly share: Float32Array;
  /** For each row the vertex that it is a copy of, where the file says so. */
  readonly source: Float32Array | null;
  readonly positions: Float32Array;
  readonly normals: Float32Array | null;
  readonly uv: Float32Array | null;
  readonly colors: Float32Array | null;
  readonly first: number;
  readonly targets: Target[];
  readonly triangles: { readonly indices: Uint32Array; readonly material: number }[];
}

const TRIANGLES = 4;

/** Reads the default scene. Nodes' transforms are applied; skins and node animation are not. */
export function readRig(bytes: ArrayBuffer): Rig {
  const glb = new Glb(bytes);
  const blocks: Block[] = [];
  let vertexCount = 0;
  const namesOfNode = new Map<number, string[]>();
  const extras: { facet4d: unknown; matrix: Matrix }[] = [];
  for (const { node, matrix } of drawnNodes(glb)) {
    const mesh = glb.json.meshes?.[glb.json.nodes?.[node].mesh ?? -1];
    if (mesh === undefined) throw new GlbError(`node ${node} names a mesh that does not exist`);
    const names = targetNames(mesh);
    namesOfNode.set(node, names);
    extras.push({ facet4d: mesh.extras?.facet4d, matrix });
    for (const primitives of bySharedVertices(mesh)) {
      const block = readBlock(glb, primitives, names, matrix, vertexCount, mesh.extras?.facet4d);
      vertexCount += block.positions.length / 3;
      blocks.push(block);
    }
  }
  if (blocks.length === 0) throw new GlbError("the file has no triangles");
  const positions = joinRows(blocks, vertexCount, 3, (block) => block.positions) as Float32Array;
  const share = joinRows(blocks, vertexCount, 1, (block) => block.share) as Float32Array;
  const face = faceOf(joinTargets(blocks), share, extras[0], blocks[0].source, vertexCount);
  const merged = mergeTriangles(blocks);
  return {
    positions,
    normals: joinRows(blocks, vertexCount, 3, (block) => block.normals),
    uv: joinRows(blocks, vertexCount, 2, (block) => block.uv),
    colors: joinRows(blocks, vertexCount, 4, (block) => block.colors),
    ...merged,
    source: blocks.length === 1 ? blocks[0].source : null,
    materials: readMaterials(glb),
    face,
    clip: readClip(glb, namesOfNode, face),
  };
}

export function drawnNodes(glb: Glb): { node: number; matrix: Matrix }[] {
  const nodes: NodeJson[] = glb.json.nodes ?? [];
  const found: { node: number; matrix: Matrix }[] = [];
  const seen = new Set<number>();
  const visit = (index: number, parent: Matrix): void => {
    const node = nodes[index];
    if (node === undefined || seen.has(index)) throw new GlbError(`node ${index} is missing or has two parents`);
    seen.add(index);
    const matrix = multiply(parent, nodeMatrix(node));
    if (node.mesh !== undefined) found.push({ node: index, matrix });
    for (const child of node.children ?? []) visit(child, matrix);
  };
  const roots =
    glb.json.scenes?.[glb.json.scene ?? 0]?.nodes ??
    nodes.map((_, index) => index).filter((index) => nodes[index].mesh !== undefined);
  for (const root of roots) visit(root, IDENTITY);
  return found;
}

export function targetNames(mesh: MeshJson): string[] {
  const count = mesh.primitives[0]?.targets?.length ?? 0;
  return Array.from({ length: count }, (_, index) => mesh.extras?.targetNames?.[index] ?? `morph ${index + 1}`);
}

/** Primitives that use the same vertex arrays, together. */
export function bySharedVertices(mesh: MeshJson): PrimitiveJson[][] {
  const shared = new Map<string, PrimitiveJson[]>();
  for (const primitive of mesh.primitives) {
    if ((primitive.mode ?? TRIANGLES) !== TRIANGLES || primitive.attributes["POSITION"] === undefined) continue;
    const key = JSON.stringify([primitive.attributes, primitive.targets ?? []]);
    shared.set(key, [...(shared.get(key) ?? []), primitive]);
  }
  return [...shared.values()];
}

function readBlock(
  glb: Glb,
  primitives: PrimitiveJson[],
  names: string[],
  matrix: Matrix,
  first: number,
  extras: unknown,
): Block {
  const { attributes, targets } = primitives[0];
  const own = glb.numbers(attributes["POSITION"]);
  const positions = transformRows(own, matrix, 1);
  const count = positions.length / 3;
  const optional = (name: string): Float32Array | null => {
    const index = attributes[name];
    if (index === undefined) return null;
    if (glb.accessor(index).count !== count) throw new GlbError(`${name} and POSITION differ in length`);
    return glb.numbers(index);
  };
  return {
    first,
    positions,
    share: leftShare(own, midPlaneOf(extras, matrix)),
    source: optional("_SOURCE_VERTEX"),
    normals: optional("NORMAL"),
    uv: optional("TEXCOORD_0"),
    colors: fourChannels(optional("COLOR_0"), count),
    targets: (targets ?? []).flatMap((target, index) => {
      const accessor = target["POSITION"];
      if (accessor === undefined) return [];
      if (glb.accessor(accessor).count !== count) throw new GlbError(`morph target ${names[index]} has another length`);
      const { vertices, offsets } = sparseOffsets(glb, accessor);
      const packed = glb.accessor(accessor).extras?.scale;
      const step = packed === undefined || !isPlainScale(matrix) ? null : packed * matrix[0];
      return [{ name: names[index], vertices, offsets: transformRows(offsets, matrix, 0), step }];
    }),
    triangles: primitives.map((primitive) => ({
      indices: triangleIndices(glb, primitive, count),
      material: primitive.material ?? -1,
    })),
  };
}

function triangleIndices(glb: Glb, primitive: PrimitiveJson, count: number): Uint32Array {
  const indices =
    primitive.indices === undefined
      ? Uint32Array.from({ length: count }, (_, index) => index)
      : glb.indices(primitive.indices);
  if (indices.some((index) => index >= count)) throw new GlbError("a triangle names a vertex that does not exist");
  return indices.subarray(0, indices.length - (indices.length % 3));
}

function sparseOffsets(glb: Glb, accessor: number): { vertices: Uint32Array; offsets: Float32Array } {
  const { bufferView, sparse } = glb.accessor(accessor);
  // glTF reads an accessor without any data as zeros: a target that moves nothing.
  if (bufferView === undefined && sparse === undefined)
    return { vertices: new Uint32Array(0), offsets: new Float32Array(0) };
  const entries = bufferView === undefined ? glb.sparseEntries(accessor) : null;
  if (entries !== null) return { vertices: entries.rows, offsets: entries.values };
  const dense = glb.numbers(accessor);
  const moved: number[] = [];
  for (let vertex = 0; vertex < dense.length / 3; vertex++) {
    if (dense[3 * vertex] !== 0 || dense[3 * vertex + 1] !== 0 || dense[3 * vertex + 2] !== 0) moved.push(vertex);
  }
  const offsets = new Float32Array(3 * moved.length);
  moved.forEach((vertex, entry) => offsets.set(dense.subarray(3 * vertex, 3 * vertex + 3), 3 * entry));
  return { vertices: Uint32Array.from(moved), offsets };
}

function fourChannels(colors: Float32Array | null, count: number): Float32Array | null {
  if (colors === null || colors.length === 4 * count) return colors;
  return Float32Array.from({ length: 4 * count }, (_, index) =>
    index % 4 === 3 ? 1 : colors[3 * (index >> 2) + (index % 4)],
  );
}

function joinTargets(blocks: Block[]): Target[] {
  const parts = new Map<string, (Target & { readonly first: number })[]>();
  for (const block of blocks) {
    for (const target of block.targets) {
      parts.set(target.name, [...(parts.get(target.name) ?? []), { first: block.first, ...target }]);
    }
  }
  return [...parts].map(([name, pieces]) => {
    const size = pieces.reduce((sum, piece) => sum + piece.vertices.length, 0);
    const vertices = new Uint32Array(size);
    const offsets = new Float32Array(3 * size);
    let filled = 0;
    for (const piece of pieces) {
      piece.vertices.forEach((vertex, entry) => (vertices[filled + entry] = vertex + piece.first));
      offsets.set(piece.offsets, 3 * filled);
      filled += piece.vertices.length;
    }
    return { name, vertices, offsets, step: pieces.length === 1 ? pieces[0].step : null };
  });
}

function mergeTriangles(blocks: Block[]): { indices: Uint32Array; groups: Group[] } {
  const pieces = blocks.flatMap((block) => block.triangles.map((piece) => ({ ...piece, first: block.first })));
  const indices = new Uint32Array(pieces.reduce((sum, piece) => sum + piece.indices.length, 0));
  const groups: Group[] = [];
  let start = 0;
  for (const piece of pieces) {
    piece.indices.forEach((index, entry) => (indices[start + entry] = index + piece.first));
    groups.push({ start, count: piece.indices.length, material: piece.material });
    start += piece.indices.length;
  }
  return { indices, groups };
}

function joinRows(
  blocks: Block[],
  rows: number,
  width: number,
  pick: (block: Block) => Float32Array | null,
): Float32Array | null {
  if (blocks.every((block) => pick(block) === null)) return null;
  const joined = new Float32Array(rows * width).fill(width === 4 ? 1 : 0);
  for (const block of blocks) joined.set(pick(block) ?? [], block.first * width);
  return joined;
}

function readMaterials(glb: Glb): Material[] {
  return (glb.json.materials ?? []).map((material, index) => {
    const surface = material.pbrMetallicRoughness ?? {};
    const [red, green, blue, alpha] = surface.baseColorFactor ?? [1, 1, 1, 1];
    const source = glb.json.textures?.[surface.baseColorTexture?.index ?? -1]?.source;
    const image = source === undefined ? undefined : glb.json.images?.[source];
    return {
      name: material.name ?? `material ${index + 1}`,
      color: [red, green, blue, alpha ?? 1] as const,
      roughness: surface.roughnessFactor ?? 1,
      metallic: surface.metallicFactor ?? 1,
      doubleSided: material.doubleSided ?? false,
      transparent: material.alphaMode === "BLEND",
      image:
        image?.bufferView === undefined
          ? null
          : { bytes: glb.viewBytes(image.bufferView), mime: image.mimeType ?? "image/png" },
    };
  });
}

/** The first animation that moves morph weights. */
function readClip(glb: Glb, namesOfNode: Map<number, string[]>, face: Face): Clip | null {
  for (const animation of glb.json.animations ?? ([] as AnimationJson[])) {
    for (const channel of animation.channels) {
      const columns = namesOfNode.get(channel.target.node ?? -1);
      if (channel.target.path !== "weights" || columns === undefined || columns.length === 0) continue;
      const sampler = animation.samplers[channel.sampler];
      const times = glb.numbers(sampler.input);
      const values = glb.numbers(sampler.output);
      // Pairs that were packed beside an animation stand behind the targets that it knows.
      const width = values.length / (times.length * (sampler.interpolation === "CUBICSPLINE" ? 3 : 1));
      return new Clip(
        times,
        values,
        columns.slice(0, width).map((name) => columnOf(name, face.names)),
        sampler.interpolation ?? "LINEAR",
      );
    }
  }
  return null;
}
