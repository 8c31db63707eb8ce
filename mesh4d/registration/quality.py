"""What a fit looks like in numbers, what to refuse, and what to warn of."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mesh4d.errors import NoFaceError
from mesh4d.geometry.normals import vertex_normals
from mesh4d.registration.face_template import FaceTemplate
from mesh4d.registration.shape_fit import ShapeFit
from mesh4d.registration.target_surface import TargetSurface

MOST_STRANGE = 1.4
"""Our own heads have 0.2 to 0.4, warped, stylised or hairy ones up to 0.9, a coarse scan 1.2; others 1.5 to 4."""
MOST_STRANGE_PLAIN = 1.8
"""The same for a template without statistics: smooth deformations have to do all."""
MISFIT_SAY = 5.0
"""Say of the misfit in `strangeness`, beside the mean square of the coefficients."""
LEAST_EVIDENCE, LEAST_COVERAGE = 0.4, 0.35
CLEAR_EXPRESSION = 0.3
"""An expression weight from which a head is called not neutral."""


@dataclass(frozen=True)
class FitQuality:
    """Numbers on which a fit is judged; template millimetres."""

    shape_misfit: float
    """Share of the face without a near match that faces the same way after the shape fit, 0 to 1."""
    evidence: float
    """Share of the face that lies within the target's rims, 0 to 1."""
    coverage: float
    """Share of the face's area within 2 mm of the target, facing the same way, after the non-rigid fit."""
    median_mm: float
    """Median distance of the face's matched vertices to the target after the non-rigid fit."""
    strain: float
    """Rms relative change of the face's edge lengths between shape fit and non-rigid fit."""
    plausibility: float
    """Rms coefficient of the identity basis: 1 is a typical head, 0 without a basis."""
    deviation: float
    """Rms coefficient of the smooth deformations beyond that basis: 0.4 is usual, 1 a head of another kind."""
    strangeness: float
    """How far from any head, misfit and deviation together; see `strangeness`."""


def measure_quality(
    template: FaceTemplate, target: TargetSurface, fit: ShapeFit, fitted: Float[np.ndarray, "V 3"]
) -> FitQuality:
    """The numbers on which a fit is judged; everything in the template's frame."""
    face = np.flatnonzero(template.face)
    normals = vertex_normals(fitted, template.outer_faces)[face]
    match = target.matches(fitted[face], normals, 0.5, np.inf, template.side[face])
    distance = np.where(match.good, np.linalg.norm(match.points - fitted[face], axis=1), np.inf)
    area = template.weight[face]
    edges = template.outer_faces[template.face[template.outer_faces].all(axis=1)][:, :2]
    before, after = (np.linalg.norm(v[edges[:, 0]] - v[edges[:, 1]], axis=1) for v in (fit.vertices, fitted))
    smooth = fit.coefficients[fit.modes.smooth]
    return FitQuality(
        shape_misfit=fit.misfit,
        evidence=fit.evidence,
        coverage=float(area[distance < 2.0].sum() / area.sum()),
        median_mm=float(np.median(distance[match.good])) if match.good.any() else np.inf,
        strain=float(np.sqrt(np.mean((after / np.maximum(before, 1e-6) - 1) ** 2))),
        plausibility=fit.plausibility,
        deviation=float(np.sqrt(np.mean(smooth**2))) if len(smooth) else 0.0,
        strangeness=strangeness(fit),
    )


def strangeness(fit: ShapeFit) -> float:
    """Mean square coefficient of identity and smooth modes, and the misfit: what a shape must be bent to be a head."""
    bent = fit.coefficients[: fit.modes.expression.start]
    return float(np.mean(bent**2) if len(bent) else 0.0) + MISFIT_SAY * fit.misfit


def most_strange(fit: ShapeFit) -> float:
    """The strangeness up to which a fit is a face's."""
    return MOST_STRANGE if fit.modes.n_identity else MOST_STRANGE_PLAIN


def refuse_without_face(quality: FitQuality) -> None:
    """Raise a NoFaceError when the numbers are not those of a face."""
    if quality.evidence < LEAST_EVIDENCE or quality.coverage < LEAST_COVERAGE:
        raise NoFaceError(
            f"no face found: at the best place only {quality.coverage:.0%} of a face is there "
            f"(expected {LEAST_COVERAGE:.0%} or more)"
        )


def refuse_strange(fit: ShapeFit) -> None:
    """Raise a NoFaceError when a shape had to be bent too far to be a head."""
    found, most = strangeness(fit), most_strange(fit)
    if found > most:
        raise NoFaceError(
            f"no face found: the most face-like place is {found:.1f} away from any head "
            f"(expected {most:.1f} or less; heads have 0.2 to 1.2, a ball 1.7)"
        )


def warnings_of(quality: FitQuality, expression: Mapping[str, float]) -> tuple[str, ...]:
    """What a user should know before trusting a fit."""
    shown = sorted(((weight, name) for name, weight in expression.items() if weight >= CLEAR_EXPRESSION), reverse=True)
    found = []
    if shown:
        units = ", ".join(f"{name} {weight:.1f}" for weight, name in shown[:4])
        found.append(f"the head is not neutral: it shows {units}")
    if quality.evidence < 0.8:
        found.append(f"only {quality.evidence:.0%} of the face is there")
    return tuple(found)
