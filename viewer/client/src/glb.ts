// Reads the container and the accessors of a binary glTF 2.0 file. Anything outside the file's own bytes is refused.

export type Matrix = ArrayLike<number>;

/** What viewer/compact.py adds to glTF: a factor of integers, and numbers that are differences to the one before. */
export interface Packing {
  scale?: number;
  steps?: boolean;
}
export interface SparseJson {
  count: number;
  indices: { bufferView: number; byteOffset?: number; componentType: number; extras?: Packing };
  values: { bufferView: number; byteOffset?: number };
}
export interface AccessorJson {
  bufferView?: number;
  byteOffset?: number;
  componentType: number;
  normalized?: boolean;
  count: number;
  type: string;
  sparse?: SparseJson;
  extras?: Packing;
}
export interface PrimitiveJson {
  attributes: Record<string, number>;
  indices?: number;
  material?: number;
  mode?: number;
  extras?: { polygon_starts?: unknown };
  targets?: Record<string, number>[];
}
export interface MeshJson {
  name?: string;
  primitives: PrimitiveJson[];
  weights?: number[];
  extras?: { targetNames?: string[]; facet4d?: unknown };
}
export interface NodeJson {
  mesh?: number;
  children?: number[];
  matrix?: number[];
  translation?: number[];
  rotation?: number[];
  scale?: number[];
}
export interface MaterialJson {
  name?: string;
  doubleSided?: boolean;
  alphaMode?: string;
  pbrMetallicRoughness?: {
    baseColorFactor?: number[];
    metallicFactor?: number;
    roughnessFactor?: number;
    baseColorTexture?: { index: number; texCoord?: number };
  };
}
export interface AnimationJson {
  channels: { sampler: number; target: { node?: number; path: string } }[];
  samplers: { input: number; output: number; interpolation?: string }[];
}
export interface GltfJson {
  asset?: { version?: string; generator?: string };
  scene?: number;
  scenes?: { nodes?: number[] }[];
  nodes?: NodeJson[];
  meshes?: MeshJson[];
  materials?: MaterialJson[];
  textures?: { source?: number }[];
  images?: { bufferView?: number; mimeType?: string }[];
  accessors?: AccessorJson[];
  bufferViews?: { buffer: number; byteOffset?: number; byteLength: number; byteStride?: number }[];
  animations?: AnimationJson[];
  extensionsRequired?: string[];
}

const MAGIC = 0x46546c67;
const CHUNK_JSON = 0x4e4f534a;
const CHUNK_BINARY = 0x004e4942;
const WIDTHS: Record<string, number> = { SCALAR: 1, VEC2: 2, VEC3: 3, VEC4: 4 };
const READABLE_EXTENSIONS = new Set(["KHR_mesh_quantization", "KHR_materials_unlit", "KHR_texture_transform"]);

interface Component {
  bytes: number;
  largest: number;
  read(view: DataView, offset: number): number;
}
const COMPONENTS: Record<number, Component> = {
  5120: { bytes: 1, largest: 127, read: (view, offset) => view.getInt8(offset) },
  5121: { bytes: 1, largest: 255, read: (view, offset) => view.getUint8(offset) },
  5122: { bytes: 2, largest: 32767, read: (view, offset) => view.getInt16(offset, true) },
  5123: { bytes: 2, largest: 65535, read: (view, offset) => view.getUint16(offset, true) },
  5124: { bytes: 4, largest: 2147483647, read: (view, offset) => view.getInt32(offset, true) },
  5125: { bytes: 4, largest: 4294967295, read: (view, offset) => view.getUint32(offset, true) },
  5126: { bytes: 4, largest: 1, read: (view, offset) => view.getFloat32(offset, true) },
};

export class GlbError extends Error {}

/** One opened file: its JSON, and typed access to its binary chunk. */
export class Glb {
  readonly json: GltfJson;
  private readonly binary: Uint8Array;

  constructor(bytes: ArrayBuffer) {
    const view = new DataView(bytes);
    if (bytes.byteLength < 20 || view.getUint32(0, true) !== MAGIC) throw new GlbError("not a GLB file");
    if (view.getUint32(4, true) !== 2) throw new GlbError(`glTF version ${view.getUint32(4, true)}; expected 2`);
    let json: GltfJson | null = null;
    let binary = new Uint8Array(0);
    for (let offset = 12; offset + 8 <= bytes.byteLength;) {
      const length = view.getUint32(offset, true);
      const kind = view.getUint32(offset + 4, true);
      if (offset + 8 + length > bytes.byteLength) throw new GlbError(`chunk at byte ${offset} ends outside the file`);
      const chunk = new Uint8Array(bytes, offset + 8, length);
      if (kind === CHUNK_JSON) json = JSON.parse(new TextDecoder().decode(chunk)) as GltfJson;
      else if (kind === CHUNK_BINARY) binary = chunk;
      offset += 8 + length + ((4 - (length % 4)) % 4);
    }
    if (json === null) throw new GlbError("no JSON chunk");
    const unreadable = (json.extensionsRequired ?? []).filter((name) => !READABLE_EXTENSIONS.has(name));
    if (unreadable.length > 0) throw new GlbError(`the file requires ${unreadable.join(", ")}, which is not supported`);
    this.json = json;
    this.binary = binary;
  }

  accessor(index: number): AccessorJson {
    const accessor = this.json.accessors?.[index];
    if (accessor === undefined) throw new GlbError(`accessor ${index} does not exist`);
    return accessor;
  }

  /** The bytes of one buffer view, for an embedded image. */
  viewBytes(index: number): Uint8Array {
    const { start, length } = this.viewRange(index);
    return this.binary.subarray(start, start + length);
  }

  /** All numbers of an accessor, row after row; normalised integers become fractions. */
  numbers(index: number): Float32Array {
    const accessor = this.accessor(index);
    const width = WIDTHS[accessor.type];
    if (width === undefined) throw new GlbError(`accessor ${index} has the type ${accessor.type}`);
    if (accessor.bufferView === undefined && accessor.sparse === undefined) {
      throw new GlbError(`accessor ${index} has neither data nor sparse entries`);
    }
    const dense =
      accessor.bufferView === undefined
        ? new Float32Array(this.boundedCount(accessor) * width)
        : this.strided(accessor.bufferView, accessor.byteOffset ?? 0, accessor, width, accessor.count);
    const sparse = this.sparseEntries(index);
    sparse?.rows.forEach((row, entry) => {
      for (let axis = 0; axis < width; axis++) dense[row * width + axis] = sparse.values[entry * width + axis];
    });
    return dense;
  }

  /** The sparse entries of an accessor, or null where it has none. */
  sparseEntries(index: number): { rows: Uint32Array; values: Float32Array } | null {
    const accessor = this.accessor(index);
    const sparse = accessor.sparse;
    if (sparse === undefined) return null;
    const { indices, values } = sparse;
    const ids = this.strided(indices.bufferView, indices.byteOffset ?? 0, indices, 1, sparse.count, Float64Array);
    if (indices.extras?.steps === true) accumulate(ids);
    const rows = Uint32Array.from(ids);
    if (ids.some((row) => !(row >= 0 && row < accessor.count)))
      throw new GlbError(`accessor ${index}: sparse index out of range`);
    const width = WIDTHS[accessor.type];
    const packed = this.strided(values.bufferView, values.byteOffset ?? 0, accessor, width, sparse.count);
    const scale = accessor.extras?.scale ?? 1;
    return { rows, values: scale === 1 ? packed : packed.map((value) => value * scale) };
  }

  /** The vertex ids of a primitive. */
  indices(index: number): Uint32Array {
    const accessor = this.accessor(index);
    if (accessor.bufferView === undefined) throw new GlbError(`accessor ${index} holds no indices`);
    const start = accessor.byteOffset ?? 0;
    const numbers = this.strided(accessor.bufferView, start, accessor, 1, accessor.count, Float64Array);
    if (accessor.extras?.steps === true) accumulate(numbers);
    return Uint32Array.from(numbers);
  }

  private boundedCount(accessor: AccessorJson): number {
    const limit = Math.max(
      ...(this.json.accessors ?? []).map((other) => (other.bufferView === undefined ? 0 : other.count)),
    );
    if (!(accessor.count <= limit)) throw new GlbError(`a sparse accessor claims ${accessor.count} rows`);
    return accessor.count;
  }

  private viewRange(index: number): { start: number; length: number; stride: number } {
    const view = this.json.bufferViews?.[index];
    if (view === undefined || view.buffer !== 0) throw new GlbError(`buffer view ${index} is not in this file`);
    const start = view.byteOffset ?? 0;
    if (!(start >= 0 && start + view.byteLength <= this.binary.byteLength)) {
      throw new GlbError(`buffer view ${index} ends outside the file`);
    }
    return { start, length: view.byteLength, stride: view.byteStride ?? 0 };
  }

  private strided(
    viewIndex: number,
    byteOffset: number,
    layout: { componentType: number; normalized?: boolean },
    width: number,
    count: number,
    array: { new (length: number): Float32Array | Float64Array } = Float32Array,
  ): Float32Array {
    const component = COMPONENTS[layout.componentType];
    if (component === undefined) throw new GlbError(`unknown component type ${layout.componentType}`);
    const range = this.viewRange(viewIndex);
    const stride = range.stride || component.bytes * width;
    if (!(
      count >= 0 &&
      byteOffset >= 0 &&
      byteOffset + (count - 1) * stride + component.bytes * width <= range.length
    )) {
      throw new GlbError(`${count} rows do not fit into buffer view ${viewIndex}`);
    }
    const view = new DataView(this.binary.buffer, this.binary.byteOffset + range.start, range.length);
    const numbers = new array(count * width);
    const scale = layout.normalized ? component.largest : 1;
    for (let row = 0; row < count; row++) {
      for (let axis = 0; axis < width; axis++) {
        const value = component.read(view, byteOffset + row * stride + axis * component.bytes);
        numbers[row * width + axis] = layout.normalized ? Math.max(value / scale, -1) : value;
      }
    }
    return numbers as Float32Array;
  }
}

function accumulate(steps: Float32Array): void {
  for (let index = 1; index < steps.length; index++) steps[index] += steps[index - 1];
}
