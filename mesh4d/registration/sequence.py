"""register_sequence: a template in the shape of every frame, one identity, no jumps."""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mesh4d.errors import MeshError
from mesh4d.geometry.rigid import Similarity
from mesh4d.io.frame_folder import FrameFolder
from mesh4d.mesh import Mesh
from mesh4d.registration.correspondence import target_sides
from mesh4d.registration.face_template import FaceTemplate
from mesh4d.registration.nonrigid import Before, fit_nonrigid
from mesh4d.registration.quality import most_strange, refuse_strange, strangeness
from mesh4d.registration.reference import prepared_template
from mesh4d.registration.shape_fit import FINE, Schedule, ShapeFit, fit_shape
from mesh4d.registration.shape_search import best_shape
from mesh4d.registration.target_surface import TargetSurface, target_surface
from mesh4d.sequence import MeshSequence
from mesh4d.smoothing import jitter, savitzky_golay

Frames = MeshSequence | FrameFolder | Sequence[Mesh]

USUAL_FPS = 25.0
KEY_FRAMES = 4
"""Frames, spread over the sequence, that the identity is the mean of."""
TRACKING = Schedule((3.0, 2.5, 2.0, 2.0, 1.5, 1.5), (0.002, 0.0005))
"""From the frame before: pose and expression."""
AS_BEFORE = 0.15
"""Say of the frame before in the non-rigid fit, beside a match of full weight."""
LOST = 0.35
"""A tracked frame whose misfit rises by this much has lost the face, and is searched anew."""
CLOSE_MM = 3.0
"""Matches nearer than this count in the residual."""


@dataclass(frozen=True)
class SequenceRegistration:
    """A template in correspondence with every frame of a sequence."""

    sequence: MeshSequence
    """The template's topology in each frame's shape and coordinates; the topology's vertices are the neutral head in
    the first frame's pose."""
    poses: tuple[Similarity, ...]
    """Template frame -> each frame."""
    expression: Float[np.ndarray, "T E"]
    """Weight of each expression of the template in each frame."""
    expression_names: tuple[str, ...]
    residual_mm: Float[np.ndarray, " T"]
    """Median distance of the face to each frame, template millimetres."""
    jitter_mm: float
    """Noise of the face's vertices that would explain their second differences (`mesh4d.smoothing.jitter`), in the
    head's frame: an upper bound, since true acceleration counts too."""


def register_sequence(
    template: Mesh | FaceTemplate,
    sequence: Frames,
    fps: float | None = None,
    smooth_s: float = 0.0,
) -> SequenceRegistration:
    """Bring a template head into correspondence with every frame of a sequence.

    The identity comes from a few frames and stays; each frame starts from the one before it, in pose, expression and
    non-rigid displacement.

    Args:
        template: as for `register`.
        sequence: frames of one topology, or meshes of any topologies (raw scans, a folder of them).
        fps: frames per second of bare meshes (25 by default); sequences and folders know their own.
        smooth_s: length of the window of a final Savitzky-Golay filter, in seconds; 0 leaves the frames as fitted.

    Raises:
        NoFaceError: when a key frame holds no face.
        MeshError: for a sequence without frames.
    """
    if len(sequence) == 0:
        raise MeshError("a sequence to register needs at least one frame, found none")
    rate = sequence.fps if isinstance(sequence, MeshSequence | FrameFolder) else (USUAL_FPS if fps is None else fps)
    ready = template if isinstance(template, FaceTemplate) else prepared_template(template)
    first = best_shape(ready, _surface_of(sequence, 0), None)
    refuse_strange(first)
    person = _personal_template(ready, sequence, first)
    tracked = list(_track(person, sequence, first))
    heads = np.stack([head for _, head, _ in tracked])
    if smooth_s > 0:
        heads = savitzky_golay(heads, rate, smooth_s)
    poses = tuple(fit.pose for fit, _, _ in tracked)
    frames = np.stack([pose.apply(head) for pose, head in zip(poses, heads, strict=True)])
    return SequenceRegistration(
        sequence=MeshSequence(person.mesh.with_vertices(poses[0].apply(person.vertices)), frames, rate),
        poses=poses,
        expression=np.stack([fit.coefficients for fit, _, _ in tracked]),
        expression_names=person.modes.names,
        residual_mm=np.array([residual for _, _, residual in tracked]),
        jitter_mm=jitter(heads[:, ready.face]),
    )


def _surface_of(sequence: Frames, frame: int) -> TargetSurface:
    return target_surface(sequence[frame])


def _personal_template(template: FaceTemplate, sequence: Frames, first: ShapeFit) -> FaceTemplate:
    """The template in the person's neutral shape, with nothing left to vary but expressions."""
    modes = template.modes
    places = np.unique(np.linspace(0, len(sequence) - 1, KEY_FRAMES).round().astype(int))
    start = np.zeros(len(modes.directions))
    start[: len(first.coefficients)] = first.coefficients  # a neutral fit lacks the expressions, which come last
    bent, pose = [start[: modes.expression.start]], first.pose
    for place in places[1:]:
        surface = _surface_of(sequence, int(place))
        fit = fit_shape(template, surface, pose, modes, FINE, start)
        if strangeness(fit) > most_strange(fit):
            fit = best_shape(template, surface, None)
            refuse_strange(fit)
        bent.append(fit.coefficients[: modes.expression.start])
    identity = np.zeros(len(modes.directions))
    identity[: modes.expression.start] = np.median(bent, axis=0) if len(bent) > 2 else np.mean(bent, axis=0)
    neutral = template.vertices + modes.displacement(identity)
    return dataclasses.replace(template, mesh=template.mesh.with_vertices(neutral), modes=modes.only(modes.expression))


def _track(
    person: FaceTemplate, sequence: Frames, first: ShapeFit
) -> Iterator[tuple[ShapeFit, Float[np.ndarray, "V 3"], float]]:
    """Per frame: pose and expression, the head in the template's frame, and the median distance to the frame."""
    count = len(person.modes.directions)
    weights = first.coefficients[first.modes.expression] if first.modes.names else np.zeros(count)
    pose, before, misfit = first.pose, None, 1.0
    surface: TargetSurface | None = None
    for number in range(len(sequence)):
        if surface is None or not isinstance(sequence, MeshSequence):
            surface = _surface_of(sequence, number)
        else:
            surface = surface.with_vertices(np.asarray(sequence.frames[number], np.float64))
        schedule = FINE if before is None else TRACKING
        fit = fit_shape(person, surface, pose, person.modes, schedule, weights)
        if fit.misfit > misfit + LOST:
            found = best_shape(person, surface, None)
            fit = fit_shape(person, surface, found.pose, person.modes, FINE, None)
            before = None
        local = surface.moved(fit.pose.inverse())
        labelled = local.with_sides(target_sides(person, fit.vertices, Mesh(local.vertices, local.faces)).either)
        head = fit_nonrigid(person, labelled, fit.vertices, before)
        yield fit, head, _residual(person, labelled, head)
        pose, weights = fit.pose, fit.coefficients
        before, misfit = Before(head - fit.vertices, AS_BEFORE), min(misfit, fit.misfit)


def _residual(template: FaceTemplate, target: TargetSurface, head: Float[np.ndarray, "V 3"]) -> float:
    """Median distance of the face to the target where there is one near, mm."""
    places = target.tree.query(head[template.face], sides=template.side[template.face], max_distance=CLOSE_MM)
    return float(np.median(np.abs(places.signed_distance[places.found]))) if places.found.any() else float("inf")
