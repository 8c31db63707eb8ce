"""The command `mesh4d`: look into, convert, render, landmark and register face meshes."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from tyro.conf import CascadeSubcommandArgs, OmitSubcommandPrefixes, Positional, subcommand

from mesh4d.command import reader_may_leave, run_command
from mesh4d.datasets.commands import DatasetGroup
from mesh4d.landmarks.command import LandmarksCommand
from mesh4d.registration.command import RegisterCommand
from mesh4d.render.commands import Render


@dataclass(frozen=True)
class Info:
    """Say what a mesh file holds: vertices, faces, polygons, parts, texture, size."""

    mesh: Positional[Path]

    def run(self) -> dict[str, object]:
        from mesh4d.io import read_mesh

        mesh = read_mesh(self.mesh)
        corners = np.array([len(polygon) for polygon in mesh.polygons()])
        return {
            "file": str(self.mesh),
            "vertices": mesh.n_vertices,
            "triangles": mesh.n_faces,
            "polygons": {int(size): int((corners == size).sum()) for size in np.unique(corners)},
            "parts": list(mesh.part_names),
            "texture": None if mesh.texture is None else list(mesh.texture.shape),
            "uv": mesh.uv is not None,
            "colors": mesh.colors is not None,
            "low": mesh.vertices.min(axis=0).round(4).tolist() if mesh.n_vertices else None,
            "high": mesh.vertices.max(axis=0).round(4).tolist() if mesh.n_vertices else None,
        }


@dataclass(frozen=True)
class Convert:
    """Write a mesh in another format; vertex order and count stay."""

    mesh: Positional[Path]
    output: Positional[Path]

    def run(self) -> dict[str, object]:
        from mesh4d.io import read_mesh, write_mesh

        mesh = read_mesh(self.mesh)
        write_mesh(mesh, self.output)
        return {"mesh": str(self.output), "vertices": mesh.n_vertices}


Command = (
    Annotated[Info, subcommand("info")]
    | Annotated[Convert, subcommand("convert")]
    | Annotated[Render, subcommand("render")]
    | Annotated[LandmarksCommand, subcommand("landmarks")]
    | Annotated[RegisterCommand, subcommand("register")]
    | Annotated[DatasetGroup, subcommand("dataset")]
)


@dataclass(frozen=True)
class Arguments:
    """Face geometry in three dimensions and time."""

    command: OmitSubcommandPrefixes[Command]
    json: bool = field(default=False)
    """Print the result as JSON."""


def main() -> None:
    """Entry point of the console command."""
    with reader_may_leave():
        arguments = tyro.cli(Arguments, prog="mesh4d", config=(CascadeSubcommandArgs,))
    run_command(arguments.command.run, as_json=arguments.json)
