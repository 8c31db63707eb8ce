// Materials of the drawn surface from those of the GLB; eyeballs without a picture of their own get an iris.

import {
  BackSide,
  BufferAttribute,
  DoubleSide,
  FrontSide,
  Material as ThreeMaterial,
  MeshStandardMaterial,
  SRGBColorSpace,
  Texture,
} from "three";
import { IRIS_ATTRIBUTE, irisDirections, paintIris } from "./eyes";
import type { Group, Material, Rig } from "./rig";

const PLAIN: Material = {
  name: "plain",
  color: [0.62, 0.6, 0.58, 1],
  roughness: 0.6,
  metallic: 0,
  doubleSided: true,
  transparent: false,
  image: null,
};

export interface Look {
  readonly materials: ThreeMaterial[];
  readonly attributes: Record<string, BufferAttribute>;
  /** The rig's groups, with the index into `materials`. */
  readonly groups: readonly Group[];
}

export function lookOf(rig: Rig, redraw: () => void): Look {
  const attributes: Record<string, BufferAttribute> = {};
  if (rig.uv !== null) attributes["uv"] = new BufferAttribute(rig.uv, 2);
  if (rig.colors !== null) attributes["color"] = new BufferAttribute(rig.colors, 4);
  const materials = [...rig.materials, PLAIN].map((material) => standard(material, rig, redraw));
  const eyes = rig.materials.findIndex(
    (material) => /eye/i.test(material.name) && !/lash|brow|lid/i.test(material.name),
  );
  if (eyes >= 0 && rig.materials[eyes].image === null && rig.colors === null) {
    const directions = irisDirections(rig, eyes);
    if (directions !== null) {
      attributes[IRIS_ATTRIBUTE] = new BufferAttribute(directions, 3);
      paintIris(materials[eyes]);
    }
  }
  const groups = rig.groups.map((group) => ({
    ...group,
    material: group.material in rig.materials ? group.material : rig.materials.length,
  }));
  return { materials, attributes, groups };
}

/** Lashes come as solid strips without a picture; drawn half through, they read as hair rather than as paint. */
const LASH_OPACITY = 0.4;

function standard(material: Material, rig: Rig, redraw: () => void): MeshStandardMaterial {
  const [red, green, blue, alpha] = material.color;
  const drawn = new MeshStandardMaterial({
    name: material.name,
    roughness: material.roughness,
    metalness: material.metallic,
    side: material.doubleSided ? DoubleSide : FrontSide,
    shadowSide: BackSide, // front faces in the shadow map would speckle the silhouette
    transparent: material.transparent,
    opacity: material.transparent ? alpha : 1,
    vertexColors: rig.colors !== null,
  });
  drawn.color.setRGB(red, green, blue);
  if (/lash/i.test(material.name) && material.image === null) {
    drawn.transparent = true;
    drawn.opacity = LASH_OPACITY;
    drawn.depthWrite = false;
  }
  if (/mouth|throat/i.test(material.name)) {
    // The sac lies close behind the cheek and would show through between two triangles of the skin.
    drawn.polygonOffset = true;
    drawn.polygonOffsetFactor = 2;
    drawn.polygonOffsetUnits = 200;
  }
  if (material.image !== null && rig.uv !== null) {
    const picture = new Image();
    picture.src = URL.createObjectURL(new Blob([material.image.bytes as BlobPart], { type: material.image.mime }));
    drawn.map = new Texture(picture);
    drawn.map.colorSpace = SRGBColorSpace;
    drawn.map.flipY = false;
    picture.addEventListener("load", () => {
      drawn.map!.needsUpdate = true;
      redraw();
    });
  }
  return drawn;
}
