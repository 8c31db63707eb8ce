"""predict_rig: any head's own AU rig, on its own vertices."""

import dataclasses
from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float

from aublend.anatomy import eye_centre
from aublend.carried_fissures import fissures_of_fit, lashes_of_fit
from aublend.combinations import COMBINATIONS, pair_deltas
from aublend.halves import MidPlane
from aublend.head_model import HeadModel, head_model
from aublend.registration import HeadFit, carry_deltas, fit_head
from aublend.rig import AURig
from aublend.rigid_parts import RigidPart, eyeball
from aublend.style import Style, style_named
from aublend.unit_shapes import eyeball_deltas, identity_deltas, with_anatomy, with_fissures
from aublend.units import AU_NAMES
from mesh4d.errors import MeshError
from mesh4d.mesh import Mesh

Method = Literal["net", "transfer", "mean"]


def predict_rig(mesh: Mesh, method: Method = "net", style: Style | str = "natural") -> AURig:
    """The 32 action units of a head, in its own topology, vertex order, pose and unit.

    Args:
        mesh: any head, neutral. The embedded topology is recognised; others are registered first.
        method: "net" is AUBlendNet, "transfer" deformation transfer from the average head, "mean" the training
            identities' mean displacements.
        style: "subtle", "natural", "exaggerated", or one learned from examples (`aublend.style.learn_style`).

    Raises:
        NoFaceError: when the mesh holds no face.
        MeshError: for an unknown method.
        SpecError: for an unknown style.
    """
    if method not in get_args(Method):
        raise MeshError(f"unknown method {method!r}; expected one of {', '.join(get_args(Method))}")
    chosen = style_named(style) if isinstance(style, str) else style
    return rig_of_fit(fit_head(mesh), method, chosen)


def rig_of_fit(fit: HeadFit, method: Method = "net", style: Style | None = None) -> AURig:
    """The rig of a head that is already in correspondence; see `predict_rig`.

    Anatomy is imposed twice: on the embedded topology, and once more on the head's own vertices, whose lids and lips
    lie a registration error away from it.
    """
    carried = carry_deltas(fit, predict_deltas(fit.template_vertices, method, style))
    to_face = np.linalg.inv(fit.to_mesh.scale * fit.to_mesh.rotation.T)
    rest = fissures_of_fit(fit)
    deltas = carried @ to_face
    lashes = lashes_of_fit(fit, rest)
    if fit.registration is not None:
        deltas = with_fissures(rest, deltas)
        if lashes is not None:
            deltas = lashes.riding(rest.vertices, deltas)
    rig = AURig(
        neutral=fit.mesh.with_vertices(rest.vertices),
        deltas=deltas.astype(np.float32),
        au_names=AU_NAMES,
        mid_plane=MidPlane.of_face_frame(),
        rigid_parts=_eyeballs(fit),
        unit_m=0.001,
        pairs=tuple(pair.name for pair in COMBINATIONS),
        pair_deltas=pair_deltas(rest, deltas, lashes).astype(np.float32),
    )
    return dataclasses.replace(rig.moved(fit.to_mesh), neutral=fit.mesh)


def predict_deltas(
    vertices: Float[np.ndarray, "V 3"], method: Method = "net", style: Style | None = None
) -> Float[np.ndarray, "A V 3"]:
    """Displacements of the 32 units on the embedded topology, mm, for a head in the face frame."""
    predictors: dict[str, Callable[[HeadModel, np.ndarray], np.ndarray]] = {
        "net": _net,
        "transfer": _transfer,
        "mean": _mean,
    }
    model = head_model()
    deltas = predictors[method](model, vertices)
    styled = deltas if style is None else _with_eyeballs(model, vertices, style.shaped(deltas))
    return styled if method == "transfer" and style is None else with_anatomy(model.shapes, vertices, styled)


def _with_eyeballs(
    model: HeadModel, vertices: Float[np.ndarray, "V 3"], deltas: Float[np.ndarray, "A V 3"]
) -> Float[np.ndarray, "A V 3"]:
    """Eyeballs turned as by nature, whatever a style made of them."""
    turned = deltas.copy()
    for eye in model.shapes.eyes:
        turned[:, eye] = eyeball_deltas(vertices[eye], eye_centre(vertices, eye))
    return turned


def _net(model: HeadModel, vertices: np.ndarray) -> np.ndarray:
    import torch  # only the network needs it, and importing it takes seconds

    from aublend.checkpoints import shipped_net

    with torch.inference_mode():
        batch = torch.from_numpy(vertices[None].astype(np.float32))
        return shipped_net()(batch)[0].numpy().astype(np.float64)


def _transfer(model: HeadModel, vertices: np.ndarray) -> np.ndarray:
    """What deformation transfer knows without learning: the average population's shapes on this head."""
    return identity_deltas(model.shapes, model.parts, vertices, np.full(3, 1 / 3))


def _mean(model: HeadModel, vertices: np.ndarray) -> np.ndarray:
    from aublend.checkpoints import shipped_net

    net = shipped_net()
    deltas = np.zeros((len(net.unit_mean), model.topology.n_vertices, 3))
    deltas[:, net.support.numpy()] = net.unit_mean.numpy().reshape(len(net.unit_mean), -1, 3)
    return deltas


def _eyeballs(fit: HeadFit) -> tuple[RigidPart, ...]:
    """The eyeballs that the mesh has, turning about the centres of the template's, in the face frame."""
    parts = head_model().parts
    balls = []
    for side, own, template in (("left", fit.left_eye, parts.left_eye), ("right", fit.right_eye, parts.right_eye)):
        if len(own):
            ball = eyeball(f"{side} eye", side, own, eye_centre(fit.template_vertices, template))
            balls.append(ball)
    return tuple(balls)
