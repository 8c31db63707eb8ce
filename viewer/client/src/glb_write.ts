// Writes a GLB that any program opens out of the page's own: float positions, sparse targets with names, weights over
// time. A second file of the same build may be mixed in, so that heads between two heads are files, too.

import { field, leftShare, midPlaneOf } from "./face";
import { Glb, GlbError, type AccessorJson, type GltfJson, type MeshJson, type PrimitiveJson } from "./glb";
import { packedPair } from "./packed_pair";
import { bySharedVertices, drawnNodes, targetNames } from "./rig";
import { weightColumns, type Track } from "./weight_columns";

/** Another file with the same vertices, triangles and targets, and its share of what is written. */
export interface Mixture {
  readonly glb: Glb;
  readonly share: number;
}

const FLOAT = 5126;
const GENERATOR = "facet4d viewer";
const VERTEX_DATA = 34962;
const INDEX_DATA = 34963;

/**
 * The scene of a file as standard glTF 2.0. Pairs of units stay in the extras, where `aublend.read_rig` finds them; with
 * a track those pairs and halves that it moves become targets.
 */
export async function writeGlb(source: Glb, track: Track | null = null, mixture: Mixture | null = null) {
  const chunk = new Chunk();
  const json = source.json as GltfJson & Record<string, unknown>;
  const values = mixedValues(source, mixture);
  const nodes = drawnNodes(source);
  const written = new Map<number, { mesh: MeshJson; columns: readonly string[] }>();
  const animated: { node: number; weights: Float32Array }[] = [];
  const columnsOf = new Map<number, ReturnType<typeof weightColumns>>();
  for (const { node, matrix } of nodes) {
    const place = json.nodes![node].mesh!;
    const mesh = json.meshes![place];
    const names = targetNames(mesh);
    const columns = columnsOf.get(place) ?? (track === null ? null : weightColumns(names, track));
    if (columns !== null) {
      columnsOf.set(place, columns);
      if (columns.names.length > 0) animated.push({ node, weights: columns.weights });
    }
    if (!written.has(place)) {
      const copy = await writtenMesh(source, mesh, mixture, values, chunk, columns?.names ?? null, matrix);
      written.set(place, { mesh: copy, columns: columns?.names ?? [] });
    }
  }
  const meshes = (json.meshes ?? []).map((_, place) => written.get(place)?.mesh ?? { primitives: [] });
  const root: Record<string, unknown> = {
    // By the name of the program that made a file, our readers tell what unit its numbers are in.
    asset: { version: "2.0", generator: source.json.asset?.generator ?? GENERATOR },
    ...(json.scenes === undefined ? {} : { scene: json.scene ?? 0, scenes: json.scenes }),
    nodes: (json.nodes ?? []).map((node, place) => keptNode(node, place, nodes)),
    meshes,
    ...optional(json, ["materials", "textures", "samplers"]),
  };
  const images = (json.images ?? []) as { bufferView?: number }[];
  if (images.length > 0) {
    root["images"] = images.map((image) =>
      image.bufferView === undefined ? image : { ...image, bufferView: chunk.view(source.viewBytes(image.bufferView)) },
    );
  }
  const used = ((json["extensionsUsed"] ?? []) as string[]).filter((name) => name !== "KHR_mesh_quantization");
  if (used.length > 0) root["extensionsUsed"] = used;
  if (track !== null && animated.length > 0) root["animations"] = [animation(chunk, track.times, animated)];
  return packed(root, chunk);
}

/** An accessor's numbers, or their mean with another file's. */
type Values = (accessor: number, mixes: boolean) => Float32Array;

function mixedValues(source: Glb, mixture: Mixture | null): Values {
  return (accessor, mixes) => {
    const own = isEmpty(source.accessor(accessor))
      ? new Float32Array(3 * source.accessor(accessor).count)
      : source.numbers(accessor);
    if (!mixes || mixture === null) return own;
    const other = isEmpty(mixture.glb.accessor(accessor)) ? own.map(() => 0) : mixture.glb.numbers(accessor);
    if (other.length !== own.length) throw new GlbError("the two heads have different vertices");
    return own.map((value, place) => value + mixture.share * (other[place] - value));
  };
}

function isEmpty({ bufferView, sparse }: AccessorJson): boolean {
  return bufferView === undefined && sparse === undefined;
}

async function writtenMesh(
  source: Glb,
  mesh: MeshJson,
  mixture: Mixture | null,
  values: Values,
  chunk: Chunk,
  columns: readonly string[] | null,
  matrix: ArrayLike<number>,
): Promise<MeshJson> {
  const names = targetNames(mesh);
  const ours = field(mesh.extras, "facet4d");
  const pairs = ours === undefined ? [] : names.filter((name) => isPair(name, names));
  const wanted = columns ?? names.filter((name) => !pairs.includes(name));
  const primitives: PrimitiveJson[] = [];
  const packedPairs: Record<string, unknown> = {};
  for (const shared of bySharedVertices(mesh)) {
    const { attributes, targets } = shared[0];
    const copies: Record<string, number> = {};
    for (const [name, accessor] of Object.entries(attributes)) {
      if (!/^(POSITION|NORMAL|TEXCOORD_\d+|COLOR_\d+|_SOURCE_VERTEX)$/.test(name)) continue;
      const mixes = name === "POSITION" || name === "NORMAL";
      const rows = values(accessor, mixes);
      if (name === "NORMAL") normalize(rows);
      copies[name] = chunk.rows(rows, source.accessor(accessor).type, VERTEX_DATA, name === "POSITION");
    }
    const positions = values(attributes["POSITION"], true);
    const plane = midPlaneOf(mixedExtras(ours, mesh, mixture), matrix);
    const share = leftShare(positions, plane);
    const offsetsOf = (name: string): Float32Array => {
      const accessor = targets?.[names.indexOf(name)]?.["POSITION"];
      return accessor === undefined ? new Float32Array(positions.length) : values(accessor, true);
    };
    const shapes = wanted.map((name) => {
      if (names.includes(name)) return offsetsOf(name);
      const left = name.endsWith("L");
      return offsetsOf(name.slice(0, -1)).map((value, place) => {
        const part = share[Math.floor(place / 3)];
        return value * (left ? part : 1 - part);
      });
    });
    const written = shapes.map((offsets) => ({ POSITION: chunk.sparse(offsets) }));
    for (const primitive of shared) {
      primitives.push({
        ...primitive,
        attributes: copies,
        ...(primitive.indices === undefined ? {} : { indices: chunk.indices(source.indices(primitive.indices)) }),
        ...(written.length > 0 ? { targets: written } : {}),
      });
      if (written.length === 0) delete primitives[primitives.length - 1].targets;
    }
    const rowsSource = attributes["_SOURCE_VERTEX"] === undefined ? null : source.numbers(attributes["_SOURCE_VERTEX"]);
    for (const pair of pairs) packedPairs[pair] = await packedPair(offsetsOf(pair), rowsSource);
  }
  const facet4d = ours === undefined ? {} : { facet4d: { ...mixedExtras(ours, mesh, mixture), pairs: packedPairs } };
  const extras = { ...mesh.extras, targetNames: [...wanted], ...facet4d };
  return { ...mesh, primitives, weights: wanted.map(() => 0), extras };
}

/** The middle plane and the eyeballs' pivots of a head between two. */
function mixedExtras(ours: unknown, mesh: MeshJson, mixture: Mixture | null): object {
  if (typeof ours !== "object" || ours === null) return {};
  if (mixture === null) return ours;
  const others = (mixture.glb.json.meshes ?? []).map((each) => field(each.extras, "facet4d"));
  const other = others.find((each, place) => each !== undefined && mixture.glb.json.meshes?.[place].name === mesh.name);
  return mixedNumbers(ours, other, mixture.share) as object;
}

function mixedNumbers(one: unknown, other: unknown, share: number): unknown {
  if (typeof one === "number" && typeof other === "number") {
    return Number.isInteger(one) && one === other ? one : one + share * (other - one);
  }
  if (Array.isArray(one) && Array.isArray(other) && one.length === other.length) {
    return one.map((each, place) => mixedNumbers(each, other[place], share));
  }
  if (typeof one === "object" && one !== null && typeof other === "object" && other !== null && !Array.isArray(one)) {
    const entries = Object.entries(one).map(([key, value]) => [key, mixedNumbers(value, field(other, key), share)]);
    return Object.fromEntries(entries);
  }
  return one;
}

function isPair(name: string, names: readonly string[]): boolean {
  const units = name.split("+");
  return units.length === 2 && units.every((unit) => names.includes(unit));
}

function keptNode(node: object, place: number, drawn: readonly { node: number }[]): Record<string, unknown> {
  const { skin: _skin, camera: _camera, weights: _weights, ...kept } = node as Record<string, unknown>;
  if (!drawn.some((each) => each.node === place)) delete kept["mesh"];
  return kept;
}

function optional(json: Record<string, unknown>, keys: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(keys.filter((key) => Array.isArray(json[key])).map((key) => [key, json[key]]));
}

function animation(
  chunk: Chunk,
  times: ArrayLike<number>,
  animated: readonly { node: number; weights: Float32Array }[],
): object {
  const input = chunk.rows(Float32Array.from(times), "SCALAR", undefined, true);
  return {
    name: "weights",
    samplers: animated.map(({ weights }) => ({
      input,
      output: chunk.rows(weights, "SCALAR"),
      interpolation: "LINEAR",
    })),
    channels: animated.map(({ node }, sampler) => ({ sampler, target: { node, path: "weights" } })),
  };
}

function normalize(rows: Float32Array): void {
  for (let at = 0; at < rows.length; at += 3) {
    const size = Math.hypot(rows[at], rows[at + 1], rows[at + 2]);
    if (size > 0) for (let axis = 0; axis < 3; axis++) rows[at + axis] /= size;
    else rows[at + 2] = 1;
  }
}

/** A binary chunk that grows, with its views and accessors. */
class Chunk {
  readonly parts: Uint8Array[] = [];
  readonly views: Record<string, number>[] = [];
  readonly accessors: Record<string, unknown>[] = [];
  size = 0;

  view(data: Uint8Array, target?: number): number {
    const padded = new Uint8Array(Math.ceil(data.byteLength / 4) * 4);
    padded.set(data);
    this.views.push({
      buffer: 0,
      byteOffset: this.size,
      byteLength: data.byteLength,
      ...(target === undefined ? {} : { target }),
    });
    this.parts.push(padded);
    this.size += padded.byteLength;
    return this.views.length - 1;
  }

  rows(rows: Float32Array, type: string, target?: number, bounded = false): number {
    const width = type === "SCALAR" ? 1 : Number(type.slice(3));
    const bufferView = this.view(bytesOf(rows), target);
    const count = rows.length / width;
    this.accessors.push({
      bufferView,
      componentType: FLOAT,
      count,
      type,
      ...(bounded ? bounds(rows, width) : {}),
    });
    return this.accessors.length - 1;
  }

  indices(indices: Uint32Array): number {
    const small = indices.every((index) => index < 65535);
    const bufferView = this.view(bytesOf(small ? Uint16Array.from(indices) : indices), INDEX_DATA);
    this.accessors.push({ bufferView, componentType: small ? 5123 : 5125, count: indices.length, type: "SCALAR" });
    return this.accessors.length - 1;
  }

  /** Offsets of which most are zero. */
  sparse(offsets: Float32Array): number {
    const count = offsets.length / 3;
    const moved: number[] = [];
    for (let row = 0; row < count; row++) {
      if (offsets[3 * row] !== 0 || offsets[3 * row + 1] !== 0 || offsets[3 * row + 2] !== 0) moved.push(row);
    }
    if (18 * moved.length > 12 * count) return this.rows(offsets, "VEC3", VERTEX_DATA, true);
    if (moved.length === 0) moved.push(0); // a sparse accessor needs a row: one that says zero
    const values = new Float32Array(3 * moved.length);
    moved.forEach((row, entry) => values.set(offsets.subarray(3 * row, 3 * row + 3), 3 * entry));
    const small = count <= 65535;
    const indices = this.view(bytesOf(small ? Uint16Array.from(moved) : Uint32Array.from(moved)));
    this.accessors.push({
      componentType: FLOAT,
      count,
      type: "VEC3",
      ...bounds(offsets, 3),
      sparse: {
        count: moved.length,
        indices: { bufferView: indices, componentType: small ? 5123 : 5125 },
        values: { bufferView: this.view(bytesOf(values)) },
      },
    });
    return this.accessors.length - 1;
  }
}

function bytesOf(rows: Float32Array | Uint16Array | Uint32Array): Uint8Array {
  return new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength);
}

function bounds(rows: Float32Array, width: number): { min: number[]; max: number[] } {
  const min = new Array<number>(width).fill(Infinity);
  const max = new Array<number>(width).fill(-Infinity);
  for (let at = 0; at < rows.length; at++) {
    const axis = at % width;
    if (rows[at] < min[axis]) min[axis] = rows[at];
    if (rows[at] > max[axis]) max[axis] = rows[at];
  }
  return { min, max };
}

function packed(root: Record<string, unknown>, chunk: Chunk): Uint8Array {
  const document = {
    ...root,
    accessors: chunk.accessors,
    bufferViews: chunk.views,
    buffers: [{ byteLength: chunk.size }],
  };
  const encoded = new TextEncoder().encode(JSON.stringify(document));
  const text = new Uint8Array(Math.ceil(encoded.length / 4) * 4).fill(0x20);
  text.set(encoded);
  const file = new Uint8Array(12 + 8 + text.length + 8 + chunk.size);
  const view = new DataView(file.buffer);
  [0x46546c67, 2, file.length, text.length, 0x4e4f534a].forEach((word, place) => view.setUint32(4 * place, word, true));
  file.set(text, 20);
  view.setUint32(20 + text.length, chunk.size, true);
  view.setUint32(24 + text.length, 0x004e4942, true);
  let at = 28 + text.length;
  for (const part of chunk.parts) {
    file.set(part, at);
    at += part.length;
  }
  return file;
}
