"""Where brow, lid, eye, nose, cheek, lip and jaw are on any head, and which half is upper: smooth masks, 0 to 1.

The masks are stated once on the embedded head (data_specs/regions.toml) and carried to a head by registration.
"""

from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import KDTree

from aublend.head_model import head_model
from aublend.registration import HeadFit, fit_head, prior_template
from mesh4d.errors import MeshError
from mesh4d.geometry.operators import GeodesicDistance
from mesh4d.mesh import Mesh
from mesh4d.specs import load_toml

REGION_NAMES = ("brow", "lid", "eye", "nose", "cheek", "lip", "jaw", "still", "upper", "lower")
ON_SKIN_MM = 4.0
"""Vertices this near to the fitted skin take its values; others those of the nearest skin, less with distance."""
FADE_MM = 20.0
NEIGHBOURS = 4


def face_regions(head: Mesh | HeadFit) -> dict[str, Float[np.ndarray, " U"]]:
    """Smooth masks of a head's regions on its own vertices.

    "brow", "lid", "eye", "nose", "cheek", "lip" and "jaw" are FACS' regions, "still" is what hardly moves with
    expression (for rigid alignment), "upper" and "lower" are the halves of the face and sum to 1 on its skin.

    Args:
        head: a neutral head, or what `fit_head` made of it.

    Raises:
        NoFaceError: when a mesh holds no face.
    """
    fit = head if isinstance(head, HeadFit) else fit_head(head)
    masks = embedded_regions()
    values = carry_field(fit, np.stack([masks[name] for name in REGION_NAMES], axis=1))
    regions = {name: np.clip(values[:, row], 0, 1) for row, name in enumerate(REGION_NAMES)}
    eyes = np.concatenate([fit.left_eye, fit.right_eye])
    if len(eyes):
        for name in REGION_NAMES:
            regions[name][eyes] = 1.0 if name in ("eye", "upper") else 0.0
    return regions


def carry_field(fit: HeadFit, values: Float[np.ndarray, "V C"]) -> Float[np.ndarray, "U C"]:
    """Any values at the embedded head's vertices, carried to a head's own."""
    if fit.registration is None:
        return values.copy()
    places = fit.registration.target_on_template
    carried = places.interpolate(values, fit.registration.fitted.faces)
    distance = np.abs(places.signed_distance) / fit.registration.pose.scale
    off = np.flatnonzero(~(distance < ON_SKIN_MM))
    if len(off):
        skin = head_model().parts.skin
        tree = KDTree(fit.registration.fitted.vertices[skin])
        gap, row = tree.query(fit.mesh.vertices[off], k=NEIGHBOURS)
        gap, nearest = gap / fit.registration.pose.scale, skin[row]
        share = 1 / np.maximum(gap, 1e-3)
        share /= share.sum(axis=1, keepdims=True)
        fade = np.clip(1 - gap[:, 0] / FADE_MM, 0, 1)[:, None]
        carried[off] = fade * np.einsum("mk,mkc->mc", share, values[nearest])
    return carried


@lru_cache(maxsize=1)
def embedded_regions() -> dict[str, Float[np.ndarray, " V"]]:
    """The masks on the embedded head's own vertices."""
    spec, template, parts = load_toml("regions"), prior_template(), head_model().parts
    vertices = template.vertices
    skin = np.zeros(len(vertices))
    skin[parts.skin] = 1.0
    masks = {name: skin * _ellipsoid(vertices, row, spec["inner"]) for name, row in spec["region"].items()}
    along = GeodesicDistance(vertices, template.mesh.faces)
    for name, row in spec["around"].items():
        sided = template.lip_side if row["rim"] == "mouth" else template.lid_side
        distance = along.from_vertices(_rim(sided, template.mesh.faces))
        masks[name] = skin * _falling(distance, row["full_mm"], row["none_mm"])
    masks["eye"] = np.zeros(len(vertices))
    masks["eye"][np.concatenate([parts.left_eye, parts.right_eye])] = 1.0
    level, width = spec["halves"]["level_mm"], spec["halves"]["width_mm"]
    masks["upper"] = 1 - _falling(vertices[:, 1], level - width / 2, level + width / 2)
    masks["lower"] = 1 - masks["upper"]
    missing = set(REGION_NAMES) - set(masks)
    if missing:
        raise MeshError(f"data_specs/regions.toml lacks {sorted(missing)}")
    return {name: masks[name] for name in REGION_NAMES}


def _ellipsoid(vertices: Float[np.ndarray, "V 3"], row: dict, inner: float) -> Float[np.ndarray, " V"]:
    """1 inside, 0 outside a soft ellipsoid (or its mirrored twin)."""
    centre, radii = np.array(row["centre_mm"]), np.array(row["radii_mm"])
    centres = [centre, centre * [-1, 1, 1]] if row["mirrored"] else [centre]
    away = np.min([np.linalg.norm((vertices - place) / radii, axis=1) for place in centres], axis=0)
    return _falling(away, inner, 1.0)


def _falling(values: np.ndarray, full: float, none: float) -> np.ndarray:
    """1 up to `full`, 0 from `none` on, smooth between."""
    t = np.clip((values - full) / (none - full), 0, 1)
    return 1 - t * t * (3 - 2 * t)


def _rim(side: Int[np.ndarray, " V"], faces: Int[np.ndarray, "F 3"]) -> Int[np.ndarray, " R"]:
    """Vertices with a neighbour on the other side, or, where the sides do not meet, all that have a side."""
    edges = faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    across = edges[side[edges].prod(axis=1) < 0]
    return np.unique(across) if len(across) else np.flatnonzero(side)
