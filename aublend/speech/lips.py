"""The lips of a rig, found from its own geometry and motion: columns of points whose gap can be measured and solved.

No label is needed. The skin is the piece that AU25 moves most; what AU26 and AU25 pull apart are the upper and the
lower lip. Vertical planes across the mouth cut the skin's edges in material points; each plane is a column, and its
gap is the height of the upper lip's lowest point above the lower lip's highest one. Points are known functions of the
weights (linear, but for pairs of units), so that thousands of frames cost milliseconds.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from aublend.rig import AURig
from aublend.speech.mouth_frame import FaceAxes, face_axes
from aublend.units import AU_INDEX, N_UNITS
from mesh4d.errors import MeshError
from mesh4d.registration.visibility import vertex_components

N_COLUMNS = 11
WIDTH_SHARE = 0.8
"""How much of the mouth's width the columns span; at the very corners the lips are one."""
REACH_MM = 16.0
"""Lip points lie no further than this above or below the line between the lips."""
DEPTH_MM = 9.0
"""... and no further than this behind the foremost place where the lips meet."""
TOUCHING_MM = 4.0
"""Vertices of the two lips this near to each other in the neutral face face each other."""
PARTED_MM = 1.0


@dataclass(frozen=True)
class PointMotion:
    """Points in mm along the face's axes under the weights of the two halves, pairs of units included."""

    rest: Float[np.ndarray, "P 3"]
    left: Float[np.ndarray, "shapes P 3"]
    """Displacement by the left half's weights: the units', then the pairs'."""
    right: Float[np.ndarray, "shapes P 3"]
    pair_units: Int[np.ndarray, "pairs 2"]

    def at(self, halves: Float[np.ndarray, "T 2 A"]) -> Float[np.ndarray, "T P 3"]:
        """Positions under weights."""
        one, other = (self._drivers(halves[:, side]) for side in (0, 1))
        flat = one @ self.left.reshape(len(self.left), -1) + other @ self.right.reshape(len(self.right), -1)
        return self.rest + flat.reshape(len(halves), *self.rest.shape)

    def slopes(self, pose: Float[np.ndarray, "2 A"]) -> Float[np.ndarray, "A P 3"]:
        """Derivative of the positions by each unit's weight, changed on both halves."""
        slope = (self.left[:N_UNITS] + self.right[:N_UNITS]).copy()
        for row, (a, b) in enumerate(self.pair_units, start=N_UNITS):
            for unit, partner in ((a, b), (b, a)):
                slope[unit] += pose[0, partner] * self.left[row] + pose[1, partner] * self.right[row]
        return slope

    def _drivers(self, weights: Float[np.ndarray, "T A"]) -> Float[np.ndarray, "T shapes"]:
        pairs = weights[:, self.pair_units[:, 0]] * weights[:, self.pair_units[:, 1]]
        return np.concatenate([weights, pairs], axis=1)


@dataclass(frozen=True)
class Lips:
    """Where a rig's lips are and how its units move them."""

    axes: FaceAxes
    points: PointMotion
    """Column after column, in each first the upper lip's points, then the lower lip's."""
    starts: Int[np.ndarray, " K2"]
    """Where each column's upper and lower points begin in `points`, alternating."""
    column_x: Float[np.ndarray, " K"]
    """Place of each column, mm to the subject's left of the mid plane."""
    teeth: Float[np.ndarray, "E 3"]
    """Edge of the upper front teeth, one point per middle column, mm; of the mesh's own teeth where it has any."""
    own_teeth: bool
    scale: float
    """Size of this mouth against an adult one; lengths of the viseme table are multiplied by it."""

    @property
    def middle(self) -> int:
        """The column at the mouth's middle."""
        return int(np.argmin(np.abs(self.column_x)))

    def gaps(self, halves: Float[np.ndarray, "T 2 A"]) -> Float[np.ndarray, "T K"]:
        """Height of the upper lip's edge over the lower lip's in every column, mm; negative where they overlap."""
        upper, lower = self.crests(halves)
        return upper - lower

    @cached_property
    def rest_overlap(self) -> Float[np.ndarray, " K"]:
        """The gap of the neutral face where its lips overlap (one hangs before the other), else 0: at most 0."""
        return np.minimum(self.gaps(np.zeros((1, 2, N_UNITS)))[0], 0.0)

    def parting(self, halves: Float[np.ndarray, "T 2 A"]) -> Float[np.ndarray, "T K"]:
        """How far the lips are from touching, per column, mm: the gap beyond that of the neutral face's closed lips."""
        return self.gaps(halves) - self.rest_overlap

    @cached_property
    def middle_columns(self) -> tuple[int, ...]:
        """The columns that `teeth` has a point for."""
        return tuple(int(np.argmin(np.abs(self.column_x - x))) for x in self.teeth[:, 0])

    def teeth_distance(self, halves: Float[np.ndarray, "T 2 A"]) -> Float[np.ndarray, " T"]:
        """From the lower lip to the edge of the upper front teeth, mm, in the middle column that is nearest."""
        points = self.points.at(halves)
        distances = [
            np.linalg.norm(points[:, self.column_points(column, 1), 1:] - edge[1:], axis=2).min(axis=1)
            for column, edge in zip(self.middle_columns, self.teeth, strict=True)
        ]
        return np.min(distances, axis=0)

    def teeth_uncovered(self, halves: Float[np.ndarray, "T 2 A"]) -> Float[np.ndarray, " T"]:
        """How far the lower lip's edge lies below the edge of the upper front teeth, mm, at the lip's best column."""
        high = self.crests(halves)[1][:, list(self.middle_columns)]
        return np.maximum(self.teeth[:, 1] - high, 0).min(axis=1)

    def crests(self, halves: Float[np.ndarray, "T 2 A"]) -> tuple[Float[np.ndarray, "T K"], Float[np.ndarray, "T K"]]:
        """Height of the upper lip's lowest and of the lower lip's highest point, per column, mm."""
        height = self.points.at(halves)[:, :, 1]
        low = np.minimum.reduceat(height, self.starts, axis=1)[:, ::2]
        high = np.maximum.reduceat(height, self.starts, axis=1)[:, 1::2]
        return low, high

    def column_points(self, column: int, lip: int) -> slice:
        """Rows of `points` that belong to a column's upper (0) or lower (1) lip."""
        begin = 2 * column + lip
        end = self.starts[begin + 1] if begin + 1 < len(self.starts) else len(self.points.rest)
        return slice(int(self.starts[begin]), int(end))


def find_lips(rig: AURig) -> Lips:
    """Find the lips of any rig.

    Raises:
        MeshError: when nothing parts under AU25 and AU26: the rig has no mouth that could speak.
    """
    axes = face_axes(rig)
    rest = axes.to_mm(rig.neutral.vertices)
    deltas = axes.direction_mm(rig.deltas.astype(np.float64))
    component = vertex_components(rig.neutral.vertices, rig.neutral.faces)
    moved = np.linalg.norm(deltas[AU_INDEX["AU25"]], axis=1)
    skin = component == np.argmax(np.bincount(component, moved))
    drop = deltas[AU_INDEX["AU26"], :, 1] + deltas[AU_INDEX["AU25"], :, 1]
    seam, half_width = _seam(rest, drop, skin)
    columns = _columns(rig, rest, drop, skin, seam, half_width)
    if len(columns) < 3:
        raise MeshError("the lips of this rig do not part under AU25 and AU26: it cannot speak")
    starts, ends, share = [], [], []
    sizes: list[int] = []
    for _, upper, lower in columns:
        for a, b, t in (upper, lower):
            starts.append(a)
            ends.append(b)
            share.append(t)
            sizes.append(len(a))
    shapes = np.concatenate([deltas, axes.direction_mm(rig.correctives.astype(np.float64))])
    points = _point_motion(rig, rest, shapes, *(np.concatenate(part) for part in (starts, ends, share)))
    column_x = np.array([x for x, _, _ in columns])
    scale = float(np.clip(half_width / 23.0, 0.3, 3.0))
    teeth, own = _upper_teeth(rest, deltas, component, skin, seam, column_x[np.abs(column_x) < 0.5 * half_width])
    return Lips(axes, points, np.cumsum([0, *sizes[:-1]]), column_x, teeth, own, scale)


def _seam(rest: np.ndarray, drop: np.ndarray, skin: np.ndarray) -> tuple[np.ndarray, float]:
    """Points between facing vertices of the two lips, foremost ones only, and half the mouth's width (mm)."""
    from scipy.spatial import KDTree

    near = np.flatnonzero(skin & (np.abs(rest[:, 1]) < 25) & (np.abs(rest[:, 0]) < 45) & (rest[:, 2] > -25))
    pairs = KDTree(rest[near]).query_pairs(TOUCHING_MM, output_type="ndarray")
    a, b = near[pairs[:, 0]], near[pairs[:, 1]]
    parted = np.abs(drop[a] - drop[b]) > PARTED_MM
    facing = np.abs(drop[a] - drop[b]) > 0.5 * np.linalg.norm(rest[a] - rest[b], axis=1)
    a, b = a[parted & facing], b[parted & facing]
    if len(a) == 0:
        raise MeshError("the lips of this rig do not part under AU25 and AU26: it cannot speak")
    middle = (rest[a] + rest[b]) / 2
    weight = np.abs(drop[a] - drop[b])
    firm = weight > 0.25 * np.percentile(weight, 90)
    half = float(np.percentile(np.abs(middle[firm, 0]), 98))
    front = np.full(len(middle), -np.inf)
    bins = np.round(middle[:, 0] / (half / 8)).astype(int)
    for name in np.unique(bins):
        front[bins == name] = middle[bins == name, 2].max()
    kept = firm & (middle[:, 2] > front - 4.0)
    return middle[kept], half


def _columns(rig, rest, drop, skin, seam, half_width) -> list:
    """Edge crossings of the upper and the lower lip in every column: (x, (a, b, t), (a, b, t))."""
    faces = rig.neutral.faces
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    edges = np.unique(np.sort(edges, axis=1), axis=0)
    a, b = edges[skin[edges].all(axis=1)].T
    columns = []
    for x in np.linspace(-WIDTH_SHARE, WIDTH_SHARE, N_COLUMNS) * half_width:
        nearby = seam[np.argsort(np.abs(seam[:, 0] - x))[:12]]
        line = np.median(nearby[:, 1])
        front = nearby[:, 2].max()
        cross = (rest[a, 0] - x) * (rest[b, 0] - x) < 0
        s, e = a[cross], b[cross]
        t = (x - rest[s, 0]) / (rest[e, 0] - rest[s, 0])
        at = rest[s] * (1 - t)[:, None] + rest[e] * t[:, None]
        keep = (np.abs(at[:, 1] - line) < REACH_MM) & (at[:, 2] > front - DEPTH_MM)
        s, e, t, at = s[keep], e[keep], t[keep], at[keep]
        if len(s) < 4:
            continue
        close = np.abs(at[:, 1] - line) < 5.0
        motion = (drop[s], drop[e])
        near_motion = np.concatenate([motion[0][close], motion[1][close]])
        if len(near_motion) == 0 or np.ptp(near_motion) < PARTED_MM:
            continue
        limit = (near_motion.min() + near_motion.max()) / 2
        upper = (motion[0] > limit) & (motion[1] > limit)
        lower = (motion[0] <= limit) & (motion[1] <= limit)
        if upper.any() and lower.any():
            columns.append((x, (s[upper], e[upper], t[upper]), (s[lower], e[lower], t[lower])))
    return columns


def _point_motion(
    rig: AURig,
    rest: Float[np.ndarray, "V 3"],
    shapes: Float[np.ndarray, "shapes V 3"],
    a: Int[np.ndarray, " P"],
    b: Int[np.ndarray, " P"],
    t: Float[np.ndarray, " P"],
) -> PointMotion:
    """Material points a + t (b - a) with their motion, each half of the face by its own weights."""
    share = rig.left_weight[:, None]

    def between(field: np.ndarray) -> np.ndarray:
        mixed = field[..., a, :] * (1 - t)[:, None] + field[..., b, :] * t[:, None]
        return np.ascontiguousarray(mixed)

    return PointMotion(between(rest), between(shapes * share), between(shapes * (1 - share)), rig.pair_units)


def _upper_teeth(rest, deltas, component, skin, seam, column_x) -> tuple[np.ndarray, bool]:
    """The front edge of the upper teeth at some columns: the mesh's own, or where teeth stand behind lips."""
    jaw = np.linalg.norm(deltas[AU_INDEX["AU26"]], axis=1)
    place = (np.abs(rest[:, 0]) < 15) & (rest[:, 1] > -8) & (rest[:, 1] < 25) & (rest[:, 2] > -25) & (rest[:, 2] < 6)
    teeth = np.flatnonzero(~skin & place & (jaw < 0.05 * max(jaw.max(), 1e-9)))
    edge = []
    for x in column_x:
        near = teeth[np.abs(rest[teeth, 0] - x) < 4.0]
        if len(near) == 0:
            edge = []
            break
        low = near[rest[near, 1] < rest[near, 1].min() + 2.5]
        edge.append([x, rest[near, 1].min(), rest[low, 2].max()])
    if edge:
        places = np.array(edge)
        # A column between two vertices of the edge would see the gums: the edge is a smooth arch.
        places[:, 1] = np.minimum(places[:, 1], np.median(places[:, 1]) + 1.0)
        return places, True
    front = [np.percentile(seam[np.abs(seam[:, 0] - x) < 5.0, 2], 50) for x in column_x]
    line = np.median(seam[:, 1])
    return np.array([[x, line + 0.5, z - 4.0] for x, z in zip(column_x, front, strict=True)]), False
