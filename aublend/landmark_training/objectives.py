"""What the landmark networks are asked for: heat maps, visibility, and whether there is a face."""

import torch
from jaxtyping import Float

from mesh4d.landmarks.network import NetOutput

SPREAD_PX = 1.0
"""Standard deviation of the target on a heat map, in its pixels."""
HIDDEN_WEIGHT = 0.3
"""Say of landmarks that cannot be seen, beside those that can."""
JUDGEMENT_WEIGHT = 1.0


def landmark_loss(
    output: NetOutput,
    places: Float[torch.Tensor, "B 68 2"],
    visible: Float[torch.Tensor, "B 68"],
    inside: Float[torch.Tensor, "B 68"],
    face: Float[torch.Tensor, " B"],
) -> dict[str, Float[torch.Tensor, ""]]:
    """Cross-entropy of the heat maps with a small bump at each landmark, and of the yes-or-no answers."""
    across, down = bumps(places, output.heat.shape[-1])
    # -sum(target * log_softmax(heat)) of a target that sums to 1, without forming either.
    rows = torch.einsum("blyx,bly->blx", output.heat, down.to(output.heat.dtype))
    under_target = (rows.float() * across).sum(dim=-1)
    unlikely = output.heat.float().flatten(2).logsumexp(dim=-1) - under_target
    weight = inside * (HIDDEN_WEIGHT + (1 - HIDDEN_WEIGHT) * visible)
    judged = (face >= 0).float()
    answer = torch.nn.functional.binary_cross_entropy_with_logits
    seen = answer(output.visible.float(), visible, reduction="none").mean(dim=1)
    is_face = answer(output.face.float(), face.clamp(min=0), reduction="none")
    return {
        "heat": (weight * unlikely).sum() / weight.sum().clamp(min=1),
        "visible": JUDGEMENT_WEIGHT * seen.mean(),
        "face": JUDGEMENT_WEIGHT * (judged * is_face).sum() / judged.sum().clamp(min=1),
    }


def bumps(
    places: Float[torch.Tensor, "B 68 2"], size: int
) -> tuple[Float[torch.Tensor, "B 68 M"], Float[torch.Tensor, "B 68 M"]]:
    """A normal bump at each place on a map, as its profiles across and down; each sums to 1."""
    centres = torch.arange(size, dtype=torch.float32) + 0.5
    along = torch.exp(-0.5 * ((centres - size * places[..., None]) / SPREAD_PX) ** 2)
    along = along / along.sum(dim=-1, keepdim=True).clamp(min=1e-9)
    return along[:, :, 0], along[:, :, 1]
