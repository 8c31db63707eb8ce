"""What happens to a face between its owner and a file: another person's build, noise, holes, hair, a coarse mesh.

Each accident is a function of a mesh in the face frame (mm) and a generator; `captured` draws among them. The kinds in
HELD_OUT are never drawn for training, so that a test with them says how a model bears what it has not met.
"""

from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from facet_vlm.config import DataConfig, OtherMakers
from facet_vlm.faces.fields import SmoothField
from mesh4d.datasets.scan import ScanStyle, simulate_scan
from mesh4d.errors import MeshError
from mesh4d.geometry.normals import vertex_normals
from mesh4d.mesh import Mesh

Accident = Callable[[Mesh, np.random.Generator], Mesh]

UNSCANNED_PARTS = ("eyes", "iris", "pupil", "teeth", "tongue", "lashes", "mouth")
CUT_CENTRE_MM = np.array([0.0, -30.0, 15.0])
CUT_RADIUS_MM = (72.0, 105.0)
BUILD_MM = 3.5
"""Standard deviation, per axis, of how far a build differs from the generator's."""
BUILD_WAVELENGTH_MM = (70.0, 220.0)
DETAIL_WAVELENGTH_MM = (28.0, 80.0)
MANNER_WAVELENGTH_MM = (30.0, 120.0)
HAIRLINE_MM = 38.0


def own_build(
    neutral: Float[np.ndarray, "V 3"], makers: OtherMakers, rng: np.random.Generator
) -> Float[np.ndarray, "V 3"]:
    """How another build differs from a head, everywhere smoothly, mm.

    Differences as small as lips and brows make faces at rest that seem to smile or to frown.
    """
    build = rng.uniform(0, BUILD_MM) * SmoothField.drawn(BUILD_WAVELENGTH_MM, 3, rng).at(neutral)
    if makers.detail_mm > 0:
        build += rng.uniform(0, makers.detail_mm) * SmoothField.drawn(DETAIL_WAVELENGTH_MM, 3, rng).at(neutral)
    return build


def own_manner(
    neutral: Float[np.ndarray, "V 3"], motion: Float[np.ndarray, "V 3"], makers: OtherMakers, rng: np.random.Generator
) -> Float[np.ndarray, "V 3"]:
    """The motion as another maker would shape it: here more of it, there less, and not quite the same way."""
    gain = np.exp(rng.uniform(0, makers.manner) * SmoothField.drawn(MANNER_WAVELENGTH_MM, 1, rng).at(neutral))
    if makers.tilt_deg > 0:
        tilt = rng.uniform(0, np.radians(makers.tilt_deg)) * SmoothField.drawn(MANNER_WAVELENGTH_MM, 3, rng).at(neutral)
        motion = Rotation.from_rotvec(tilt).apply(motion)
    return gain * motion


def grainy(mesh: Mesh, rng: np.random.Generator) -> Mesh:
    """Independent noise along the normals, up to 0.6 mm."""
    noise = rng.normal(0, rng.uniform(0.05, 0.6), mesh.n_vertices)
    return mesh.with_vertices(mesh.vertices + noise[:, None] * vertex_normals(mesh.vertices, mesh.faces))


def drifting(mesh: Mesh, rng: np.random.Generator) -> Mesh:
    """Bumps of one or two centimetres, as poor calibration or a fitted surface leaves them."""
    bumps = rng.uniform(0.1, 0.6) * SmoothField.drawn((8.0, 40.0), 3, rng).at(mesh.vertices)
    return mesh.with_vertices(mesh.vertices + bumps)


def stepped(mesh: Mesh, rng: np.random.Generator) -> Mesh:
    """Depth in steps, as coarse sensors have it, up to 0.8 mm."""
    step = rng.uniform(0.1, 0.8)
    vertices = mesh.vertices.copy()
    vertices[:, 2] = np.round(vertices[:, 2] / step) * step
    return mesh.with_vertices(vertices)


def rippled(mesh: Mesh, rng: np.random.Generator) -> Mesh:
    """Waves in depth, as fringe projection leaves them: 0.15 to 0.4 mm high, 4 to 9 mm long."""
    angle, length = rng.uniform(0, np.pi), rng.uniform(4.0, 9.0)
    along = mesh.vertices[:, :2] @ np.array([np.cos(angle), np.sin(angle)])
    vertices = mesh.vertices.copy()
    vertices[:, 2] += rng.uniform(0.15, 0.4) * np.sin(2 * np.pi * along / length + rng.uniform(0, 2 * np.pi))
    return mesh.with_vertices(vertices)


def smoothed(mesh: Mesh, rng: np.random.Generator) -> Mesh:
    """Detail lost: each vertex drawn to the mean of its neighbours, a few times over."""
    from scipy.sparse import coo_matrix

    pairs = np.concatenate([mesh.faces[:, [0, 1]], mesh.faces[:, [1, 2]], mesh.faces[:, [2, 0]]])
    pairs = np.concatenate([pairs, pairs[:, ::-1]])
    count = mesh.n_vertices
    near = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), (count, count)).tocsr()
    degree = np.maximum(np.asarray(near.sum(axis=1)), 1.0)
    vertices = mesh.vertices
    for _ in range(int(rng.integers(1, 5))):
        mean = near @ vertices / degree
        vertices = np.where(degree > 1.0, 0.5 * vertices + 0.5 * mean, vertices)
    return mesh.with_vertices(vertices)


def coarse(mesh: Mesh, rng: np.random.Generator) -> Mesh:
    """Few triangles: vertices that share a cell of 3 to 6 mm become one."""
    cell = rng.uniform(3.0, 6.0)
    cells = np.floor(mesh.vertices / cell + rng.uniform(size=3)).astype(np.int64)
    _, group = np.unique(cells, axis=0, return_inverse=True)
    group = group.ravel()
    counts = np.bincount(group)
    merged = np.stack([np.bincount(group, mesh.vertices[:, axis]) / counts for axis in range(3)], axis=1)
    faces = group[mesh.faces]
    kept = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
    return Mesh(merged, faces[kept])


def pierced(mesh: Mesh, rng: np.random.Generator) -> Mesh:
    """One to four holes of 4 to 13 mm."""
    kept = np.ones(mesh.n_faces, bool)
    front = np.flatnonzero(mesh.vertices[:, 2] > 0)
    for _ in range(int(rng.integers(1, 5)) if len(front) else 0):
        centre = mesh.vertices[rng.choice(front)]
        inside = np.linalg.norm(mesh.vertices - centre, axis=1) < rng.uniform(4.0, 13.0)
        kept &= ~inside[mesh.faces].any(axis=1)
    return Mesh(mesh.vertices, mesh.faces[kept])


def hairy(mesh: Mesh, rng: np.random.Generator) -> Mesh:
    """Hair over the forehead's upper edge, or a cap of it: tufts up to 14 mm thick."""
    edge = HAIRLINE_MM + rng.uniform(-8.0, 20.0) + 6.0 * SmoothField.drawn((20.0, 80.0), 1, rng).at(mesh.vertices)[:, 0]
    depth = np.clip((mesh.vertices[:, 1] - edge) / 10.0, 0, 1) * rng.uniform(3.0, 14.0)
    tufts = 1.0 + 0.5 * SmoothField.drawn((5.0, 25.0), 1, rng).at(mesh.vertices)[:, 0]
    outwards = vertex_normals(mesh.vertices, mesh.faces)
    return mesh.with_vertices(mesh.vertices + (depth * tufts)[:, None] * outwards)


def hidden(mesh: Mesh, rng: np.random.Generator) -> Mesh:
    """Something before the face's edge: one or two balls of 10 to 24 mm at the forehead, a cheek or the chin."""
    import trimesh

    vertices, faces = [mesh.vertices], [mesh.faces]
    for _ in range(int(rng.integers(1, 3))):
        ball = trimesh.creation.icosphere(subdivisions=2, radius=rng.uniform(10.0, 24.0))
        angle = rng.uniform(0, 2 * np.pi)
        centre = np.array([78.0 * np.sin(angle), -32.0 + 88.0 * np.cos(angle), rng.uniform(5.0, 35.0)])
        faces.append(np.asarray(ball.faces, np.int64) + sum(map(len, vertices)))
        vertices.append(np.asarray(ball.vertices) * rng.uniform(0.7, 1.3, 3) + centre)
    return Mesh(np.concatenate(vertices), np.concatenate(faces))


def scanned(mesh: Mesh, rng: np.random.Generator) -> Mesh:
    """The mesh without the parts that scanners miss, or without what lies beyond the face, or both."""
    kind = rng.integers(3)
    kept = np.ones(mesh.n_faces, bool)
    if kind != 0 and mesh.part_of_face is not None:
        kept &= ~np.isin(mesh.part_of_face, [mesh.part_names.index(name) for name in UNSCANNED_PARTS])
    if kind != 1:
        near = np.linalg.norm(mesh.vertices - CUT_CENTRE_MM, axis=1) < rng.uniform(*CUT_RADIUS_MM)
        kept &= near[mesh.faces].all(axis=1)
    return Mesh(mesh.vertices, mesh.faces[kept])


def range_imaged(mesh: Mesh, rng: np.random.Generator) -> Mesh:
    """A frontal range scan with its holes, spikes and ragged edge, as data sets of scans have them."""
    style = ScanStyle(
        step_mm=rng.uniform(1.2, 2.4),
        noise_mm=rng.uniform(0.03, 0.25),
        hairline_mm=rng.uniform(45.0, 70.0),
        holes=int(rng.integers(0, 5)),
        spikes=rng.uniform(0, 0.0015),
        picture_px=8,
    )
    return simulate_scan(mesh, style, rng).to_mesh()


NOISE: Mapping[str, Accident] = {"grainy": grainy, "drifting": drifting, "stepped": stepped, "smoothed": smoothed}
LOSSES: Mapping[str, Accident] = {"scanned": scanned, "pierced": pierced, "range_imaged": range_imaged}
COVERS: Mapping[str, Accident] = {"hairy": hairy, "hidden": hidden}
HELD_OUT: Mapping[str, Accident] = {"rippled": rippled}
ALL: Mapping[str, Accident] = {**NOISE, "coarse": coarse, **LOSSES, **COVERS, **HELD_OUT}


def accident(name: str) -> Accident:
    """The accident of that name.

    Raises:
        MeshError: when there is none.
    """
    if name not in ALL:
        raise MeshError(f"expected an accident among {', '.join(ALL)}, found {name!r}")
    return ALL[name]


def captured(mesh: Mesh, config: DataConfig, rng: np.random.Generator) -> Mesh:
    """The head as a file may have it: with accidents drawn at the configuration's rates, misplaced and turned."""
    if rng.random() < config.cover_share:
        mesh = COVERS[str(rng.choice(list(COVERS)))](mesh, rng)
    if rng.random() < config.noise_share:
        mesh = NOISE[str(rng.choice(list(NOISE)))](mesh, rng)
    if rng.random() < config.coarse_share:
        mesh = coarse(mesh, rng)
    if rng.random() < config.loss_share:
        mesh = LOSSES[str(rng.choice(list(LOSSES)))](mesh, rng)
    return misplaced(mesh, config, rng)


def misplaced(mesh: Mesh, config: DataConfig, rng: np.random.Generator) -> Mesh:
    """The head as alignment leaves it: turned, shifted and scaled a little."""
    limits = np.array([config.yaw_deg, config.pitch_deg, config.roll_deg])
    turn = Rotation.from_euler("yxz", rng.uniform(-limits, limits), degrees=True)
    scale = 1 + config.size_jitter * rng.normal()
    return mesh.with_vertices(scale * turn.apply(mesh.vertices) + rng.normal(0, config.place_jitter_mm, 3))
