import numpy as np
import pytest

from aublend import AU_NAMES, AUCurves, neutral_apex_neutral, read_curves, write_curves, write_rig
from aublend.commands.drive import Drive
from aublend.commands.retarget import Retarget
from aublend.commands.solve import Solve
from mesh4d import read_sequence, write_sequence
from mesh4d.errors import MeshError
from mesh4d.mesh import Mesh
from mesh4d.sequence import MeshSequence

CROOKED = {"AU12L": 0.8, "AU12R": 0.1, "AU4": 0.6, "AU45R": 1.0, "AU26": 0.5}


@pytest.fixture(scope="module")
def crooked(rig):
    return rig.animate(neutral_apex_neutral(CROOKED, fps=25.0))


def test_halves_are_found_where_they_differ_and_only_there(rig, crooked):
    truth = neutral_apex_neutral(CROOKED, fps=25.0)
    solved = rig.solve(crooked)
    assert solved.fps == 25.0
    np.testing.assert_allclose(solved.halves(), truth.halves(), atol=0.01)
    sided = {name for name in solved.names if name not in AU_NAMES}
    assert sided == {"AU12L", "AU12R", "AU45L", "AU45R"}
    one = rig.solve(rig.drive({"AU12L": 0.3}))
    assert len(one) == 1 and one.weights[0, one.names.index("AU12L")] == pytest.approx(0.3, abs=0.01)


def test_noise_on_a_symmetric_face_makes_no_sides(rig):
    rng = np.random.default_rng(0)
    weights = rng.random((20, 32)) * (rng.random((20, 32)) < 0.25)
    frames = rig.animate(AUCurves(AU_NAMES, weights, 25.0)).frames
    solved = rig.solve(MeshSequence(rig.neutral, frames + rng.normal(0, 0.3, frames.shape), 25.0))
    assert solved.names == AU_NAMES
    assert np.abs(solved.weights - weights).mean() < 0.05


def test_halves_need_the_rigs_vertices(rig):
    with pytest.raises(MeshError):
        rig.solve(Mesh(rig.neutral.vertices[:100], np.array([[0, 1, 2]])))


def test_retarget_plays_the_same_units_on_another_head(rig, model, crooked, tmp_path):
    other = model.rig(471)
    write_rig(rig, tmp_path / "a.npz")
    write_rig(other, tmp_path / "b.npz")
    write_sequence(crooked, tmp_path / "a_moves.npz")
    result = Retarget(
        tmp_path / "a.npz", tmp_path / "a_moves.npz", tmp_path / "b.npz", tmp_path / "b.glb", tmp_path / "curves.csv"
    ).run()
    assert result["frames"] == len(crooked.frames) and result["fps"] == 25.0
    expected = other.animate(neutral_apex_neutral(CROOKED, fps=25.0)).frames
    np.testing.assert_allclose(read_sequence(tmp_path / "b.glb").frames, expected, atol=0.2)
    assert "AU12L" in read_curves(tmp_path / "curves.csv").names


@pytest.mark.parametrize("format", ["au", "livelink", "openface"])
def test_drive_animates_from_every_curve_format(rig, tmp_path, format):
    write_rig(rig, tmp_path / "rig.npz")
    curves = neutral_apex_neutral({"AU12": 0.8, "AU45": 0.5}, fps=25.0)
    write_curves(curves, tmp_path / "c.csv", format)
    for name in ("out.glb", "out.npz"):
        result = Drive(tmp_path / "rig.npz", curves=tmp_path / "c.csv", output=tmp_path / name).run()
        assert result == {"animation": str(tmp_path / name), "frames": len(curves), "fps": 25.0}
        np.testing.assert_allclose(read_sequence(tmp_path / name).frames, rig.animate(curves).frames, atol=0.02)


def test_drive_refuses_a_pose_beside_curves(rig, tmp_path):
    with pytest.raises(MeshError, match="--curves"):
        Drive(tmp_path / "rig.npz", au=("AU1",), curves=tmp_path / "c.csv").run()


def test_solve_writes_other_formats(rig, crooked, tmp_path):
    write_rig(rig, tmp_path / "rig.npz")
    write_sequence(crooked, tmp_path / "moves.npz")
    Solve(tmp_path / "rig.npz", tmp_path / "moves.npz", tmp_path / "c.csv", "livelink").run()
    assert (tmp_path / "c.csv").read_text().startswith("Timecode,BlendShapeCount,EyeBlinkLeft")
    back = read_curves(tmp_path / "c.csv")
    assert back.weights[:, back.names.index("AU12L")].max() == pytest.approx(0.8, abs=0.01)
