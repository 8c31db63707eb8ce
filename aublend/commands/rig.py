"""`aublend rig`: a head's own action units."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg


@dataclass(frozen=True)
class Rig:
    """Give a head its own 32 action units and write the rig (.glb or USD for animators, .npz for numpy)."""

    head: Positional[Path]
    """A neutral head: .obj, .ply, .glb or .npz, of any topology."""
    output: Annotated[Path, arg(aliases=["-o"])] = Path("rig.glb")
    method: Literal["net", "transfer", "mean"] = "net"
    """net: AUBlendNet. transfer, mean: its baselines."""
    style: Literal["subtle", "natural", "exaggerated"] = "natural"
    """How the face moves; see data_specs/styles.toml."""
    arkit: bool = False
    """Add ARKit's 52 face shapes, derived from the action units, as further morph targets (.glb, USD)."""

    def run(self) -> dict[str, object]:
        from aublend import predict_rig, write_rig
        from mesh4d import NoFaceError, read_mesh

        try:
            rig = predict_rig(read_mesh(self.head), self.method, self.style)
        except NoFaceError as error:
            raise NoFaceError(f"{self.head}: {error}") from error
        write_rig(rig, self.output, arkit=self.arkit)
        return {"rig": str(self.output), "vertices": rig.neutral.n_vertices, "units": len(rig.au_names)}
