"""From a target surface to the shape fit that explains its face best."""

from itertools import islice

import numpy as np
from scipy.spatial import KDTree

from mesh4d.errors import MeshError
from mesh4d.geometry.rigid import Similarity, similarity_align
from mesh4d.mesh import Landmarks
from mesh4d.registration.face_template import FaceTemplate
from mesh4d.registration.head_crop import head_crops
from mesh4d.registration.pose import UNTOLD_COST, pose_candidates
from mesh4d.registration.quality import MISFIT_SAY, most_strange, strangeness
from mesh4d.registration.shape_fit import COARSE, FINE, POSED, KnownPoints, ShapeFit, fit_shape
from mesh4d.registration.target_surface import TargetSurface

CANDIDATES = 4
"""Poses whose shape is tried; the coarse search alone can be misled by shoulders."""
MOST_CROPS = 3
"""Ends of a body that are tried."""
CLEAR_HEAD = 0.65
"""An end as round as this is tried before the whole."""
EXPRESSION_GAIN = 12.0
"""An expression is believed when it lowers the fit's cost by this much: neutral heads gain 3 to 9, smiles 30 to 60."""
POSED_WEIGHT = 0.8
"""Weight of the expressions in further starts: a wide open mouth lies out of reach of the first."""
CLEAN_MISFIT = 0.012
"""A neutral fit this good needs no other story."""


def best_shape(template: FaceTemplate, target: TargetSurface, landmarks: Landmarks | None) -> ShapeFit:
    """The shape fit of the pose, and the expression, that explain the face best."""
    if landmarks is not None:
        pose, known = _from_landmarks(template, landmarks)
        modes = template.modes.only(template.modes.identity)
        return _refined(template, target, fit_shape(template, target, pose, modes, COARSE, landmarks=known), known)
    ends = list(islice(head_crops(target), MOST_CROPS))
    clear = [part for roundness, part in ends if roundness > CLEAR_HEAD]
    parts = [*clear, target, *(part for roundness, part in ends if roundness <= CLEAR_HEAD)]
    best = None
    for part in parts:
        found = _refined(template, part, _coarse(template, part), None)
        if part is not target:
            found = fit_shape(template, target, found.pose, found.modes, FINE, found.coefficients)
        best = found if best is None else min(best, found, key=_cost)
        if strangeness(best) < most_strange(best):
            break
    assert best is not None, "the target itself is always tried"
    return best


def _coarse(template: FaceTemplate, target: TargetSurface) -> ShapeFit:
    modes = template.modes.only(template.modes.identity)
    poses = pose_candidates(template, target, CANDIDATES)
    return min((fit_shape(template, target, place.pose, modes, COARSE) for place in poses), key=_coarse_cost)


def _coarse_cost(fit: ShapeFit) -> float:
    return fit.misfit + UNTOLD_COST * (1 - fit.evidence)


def _cost(fit: ShapeFit) -> float:
    return strangeness(fit) + MISFIT_SAY * UNTOLD_COST * (1 - fit.evidence)


def _refined(template: FaceTemplate, target: TargetSurface, coarse: ShapeFit, known: KnownPoints | None) -> ShapeFit:
    """All modes from the coarse fit; an expression is taken for one only where that is clearly the simpler story."""
    modes = template.modes
    start = np.zeros(len(modes.directions))
    start[modes.identity] = coarse.coefficients
    silent = modes.only(modes.identity, modes.smooth)
    neutral = fit_shape(template, target, coarse.pose, silent, FINE, start[: len(silent.directions)], known)
    if not modes.names:
        return neutral
    told = [fit_shape(template, target, coarse.pose, modes, FINE, start, known)]
    if neutral.misfit > CLEAN_MISFIT:
        for pose in modes.poses:
            posed = start.copy()
            posed[[modes.expression.start + modes.names.index(name) for name in pose]] = POSED_WEIGHT
            told.append(fit_shape(template, target, coarse.pose, modes, POSED, posed, known))
    shown = min(told, key=lambda fit: fit.cost)
    if shown.cost < neutral.cost - EXPRESSION_GAIN:
        return shown
    return neutral


def _from_landmarks(template: FaceTemplate, landmarks: Landmarks) -> tuple[Similarity, KnownPoints]:
    """The similarity between landmarks of the same name, and what `fit_shape` needs of them."""
    own = template.mesh.landmarks
    names = [name for name in landmarks.names if own is not None and name in own.names]
    if own is None or len(names) < 3:
        raise MeshError(f"landmarks need 3 names that the template has too, found {names}")
    rest, goal = np.stack([own[name] for name in names]), np.stack([landmarks[name] for name in names])
    carrier = np.asarray(KDTree(template.vertices).query(rest)[1])
    rows = [landmarks.names.index(name) for name in names]
    trust = np.ones(len(names)) if landmarks.confidence is None else landmarks.confidence[rows]
    pose = similarity_align(rest, goal, np.maximum(trust, 1e-3))
    return pose, KnownPoints(rest - template.vertices[carrier], carrier, goal, trust.astype(float))
