"""Builds what the page shows: the labels from data_specs, and the GLB bytes from a file of any kind we read."""

import os
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from aublend.arkit import ARKIT_NAMES, ARKIT_TABLE, ROTATION_NAMES, ArkitRow
from aublend.emotion_pad import pad_faces
from aublend.style import styles
from mesh4d.errors import MeshFormatError, SpecError
from mesh4d.io import write_mesh
from mesh4d.mesh import Mesh
from mesh4d.specs import load_split, load_toml
from viewer.messages import ArkitUnit, EmotionPreset, OpeningInfo, PadPoint, StyleInfo, UnitInfo, ViewerMetadata

GLB_MAGIC = b"glTF"
GROUP_HEADINGS = {"upper": "Upper face", "lower": "Lower face", "lip": "Lips", "jaw": "Jaw", "eye": "Eyes"}
"""Headings of the panel for the groups of action_units.toml, in the panel's order."""


def viewer_metadata(
    title: str,
    *,
    autoplay: bool = False,
    weights: Mapping[str, float] | None = None,
    seed: int | None = None,
    openings: tuple[OpeningInfo, ...] = (),
    opens: int | None = None,
    load: Callable[[str], dict[str, Any]] = load_toml,
) -> ViewerMetadata:
    """Labels and presets for the page, from data_specs/action_units.toml and data_specs/emotions.toml.

    Args:
        title: the page's title, usually the file's name.
        autoplay: start the GLB's animation at once.
        weights: slider positions to open with, by target name.
        seed: of the embedded head that is shown, if it is one.
        openings: what the server can open besides.
        opens: which of them the page asks for at once.
        load: reads one table of data_specs by name.

    Raises:
        SpecError: when a table lacks a field or names an unknown unit.
    """
    units = tuple(_unit(entry, place) for place, entry in enumerate(load("action_units").get("unit", ())))
    headings = list(GROUP_HEADINGS.values())
    units = tuple(sorted(units, key=lambda unit: headings.index(unit.group) if unit.group in headings else 99))
    emotions = load("emotions").get("emotion", {})
    presets = tuple(_preset(name, table, units) for name, table in emotions.items() if table.get("units"))
    return ViewerMetadata(
        title, units, presets, _pad(), ARKIT_NAMES, tuple(map(_arkit_unit, ARKIT_TABLE.values())), autoplay,
        dict(weights or {}), arkit_rotations=ROTATION_NAMES, seed=seed, openings=openings, opens=opens,
        phones=tuple(load_toml("speech")["order"]),
        styles=tuple(StyleInfo(style.name, style.description) for style in styles().values()),
    )  # fmt: skip


def _pad() -> tuple[PadPoint, ...]:
    return tuple(PadPoint(face.name, face.valence, face.arousal, dict(face.units)) for face in pad_faces())


def _arkit_unit(row: ArkitRow) -> ArkitUnit:
    return ArkitUnit(row.name, row.match, row.left, row.right, row.middle, row.read)


def _unit(entry: dict[str, Any], place: int) -> UnitInfo:
    try:
        group: str = entry["group"]
        heading = GROUP_HEADINGS.get(group, group.capitalize())
        return UnitInfo(
            entry["name"], entry["facs_name"], entry.get("muscle", ""), heading, entry.get("description", "")
        )
    except KeyError as error:
        name = entry.get("name", place)
        raise SpecError(f"action_units.toml: unit {name}: expected the field {error}, found {sorted(entry)}") from error


def _preset(name: str, table: dict[str, Any], units: tuple[UnitInfo, ...]) -> EmotionPreset:
    weights = {unit: float(weight) for unit, weight in table["units"].items()}
    names = {unit.name for unit in units}
    sided = {name + side for name in names for side in "LR"}
    unknown = sorted(set(weights) - names - sided)
    if unknown:
        raise SpecError(f"emotions.toml: emotion.{name}.units: {unknown} stand not in action_units.toml")
    return EmotionPreset(name, weights)


def embedded_seed() -> int:
    """The identity of the embedded head that is shown where none is asked for."""
    return int(load_split("aublendset")["demo"][0])


def embedded_head() -> bytes:
    """The rig of one identity of the embedded head model, as GLB."""
    from aublend import head_model
    from aublend.rig_files import morph_mesh
    from mesh4d.io.gltf_write import gltf_bytes

    return gltf_bytes(morph_mesh(head_model().rig(embedded_seed())), None, binary=True)


def glb_of_file(path: str | os.PathLike[str]) -> bytes:
    """The GLB that the page loads for a file: a .glb as it is, an .npz rig or any mesh file converted.

    Raises:
        MeshFormatError: when a .glb does not start as one, or the file cannot be read as a rig or mesh.
    """
    path = Path(path)
    if path.suffix.lower() == ".glb":
        content = path.read_bytes()
        if content[:4] != GLB_MAGIC:
            raise MeshFormatError(path, "byte 0", "the magic 'glTF'", repr(content[:4]))
        return content
    if path.suffix.lower() == ".npz" and "deltas.npy" in npz_names(path):
        from aublend import read_rig
        from aublend.rig_files import morph_mesh
        from mesh4d.io.gltf_write import gltf_bytes

        return gltf_bytes(morph_mesh(read_rig(path)), None, binary=True)
    from mesh4d.io import read_mesh

    return glb_of_mesh(read_mesh(path))


def glb_of_mesh(mesh: Mesh) -> bytes:
    """A bare surface, without sliders."""
    with tempfile.TemporaryDirectory() as folder:
        write_mesh(mesh, Path(folder) / "mesh.glb")
        return (Path(folder) / "mesh.glb").read_bytes()


def npz_names(path: Path) -> tuple[str, ...]:
    """The arrays that an .npz names; none for what is no archive."""
    if not zipfile.is_zipfile(path):
        return ()
    with zipfile.ZipFile(path) as archive:
        return tuple(archive.namelist())
