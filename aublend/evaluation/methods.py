"""Ways to give a head its 32 unit shapes that are compared with each other."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float

from aublend.head_model import head_model
from aublend.identity import average_identity
from aublend.predict import predict_deltas
from aublend.units import AU_NAMES
from mesh4d.geometry.deformation_transfer import DeformationTransfer, deformation_gradients

Predictor = Callable[[Float[np.ndarray, "V 3"]], Float[np.ndarray, "A V 3"]]


@dataclass(frozen=True)
class Method:
    """One way, from a neutral head on the embedded topology (face frame, mm) to its unit shapes."""

    what: str
    predict: Predictor


def plain_transfer(vertices: Float[np.ndarray, "V 3"]) -> Float[np.ndarray, "A V 3"]:
    """Deformation transfer of the average head's own unit shapes: no anatomy, no population groups.

    Eyeballs, teeth, tongue and lashes, which hang on nothing, keep the average head's displacements.
    """
    transfer, gradients, shapes = _average_rig()
    deltas = shapes.copy()
    skin = np.unique(transfer.faces)
    deltas[:, skin] = transfer.carry(gradients, vertices)[:, skin]
    return deltas


@lru_cache(maxsize=1)
def _average_rig() -> tuple[DeformationTransfer, np.ndarray, np.ndarray]:
    """The average head's factorised systems, the deformation gradients of its shapes, and the shapes."""
    model = head_model()
    average = average_identity(model.makehuman.target_names)
    shapes, rest = model.deltas(average), model.neutral(average).vertices
    faces = model.shapes.faces
    transfer = DeformationTransfer(rest, faces, (shapes == 0.0).all(axis=2))
    return transfer, deformation_gradients(rest, shapes, faces), shapes


METHODS: dict[str, Method] = {
    "net": Method(
        "AUBlendNet, with anatomy imposed, as `predict_rig` gives it", lambda head: predict_deltas(head, "net")
    ),
    "transfer": Method(
        "plain deformation transfer of the average head's own shapes, without anatomy or population groups",
        plain_transfer,
    ),
    "transfer+anatomy": Method(
        "nearly an oracle: the procedure that makes the ground truth (transfer from the artists' base mesh, then "
        "anatomy), with average shares of the population groups instead of the head's own",
        lambda head: predict_deltas(head, "transfer"),
    ),
    "mean": Method(
        "the training identities' mean displacements, with anatomy imposed", lambda head: predict_deltas(head, "mean")
    ),
    "zero": Method("no motion", lambda head: np.zeros((len(AU_NAMES), *head.shape))),
}
