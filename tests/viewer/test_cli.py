import socket
import sys

import pytest

from mesh4d.errors import NoFaceError
from viewer import cli
from viewer.scene import embedded_seed


@pytest.fixture
def rig_file(tmp_path, rig_glb):
    path = tmp_path / "rig.glb"
    path.write_bytes(rig_glb)
    return path


def no_face(glb_bytes):
    raise NoFaceError("a ball")


def test_export_writes_the_page(client_stub, monkeypatch, capsys, tmp_path, rig_file):
    """Of what has no face, too; that the search for one ends is another test."""
    target = tmp_path / "page.html"
    monkeypatch.setattr(cli, "map_of_glb", no_face)
    monkeypatch.setattr(sys, "argv", ["mesh4d-viewer", str(rig_file), "--export", str(target)])
    cli.main()
    assert "rig.glb" in target.read_text(encoding="utf-8")
    assert str(target) in capsys.readouterr().out


def test_without_a_file_the_embedded_head_is_shown(client_stub, monkeypatch, tmp_path):
    target = tmp_path / "page.html"
    monkeypatch.setattr(sys, "argv", ["mesh4d-viewer", "--export", str(target)])
    cli.main()
    assert f"<title>Embedded head {embedded_seed()}</title>" in target.read_text(encoding="utf-8")


def test_missing_client_names_the_command(monkeypatch, capsys, tmp_path, rig_file):
    monkeypatch.setattr("viewer.page.STATIC_FOLDER", tmp_path / "nowhere")
    monkeypatch.setattr(sys, "argv", ["mesh4d-viewer", str(rig_file), "--no-browser"])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 2
    assert "make viewer" in capsys.readouterr().err


def test_missing_file_is_one_line(client_stub, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(sys, "argv", ["mesh4d-viewer", str(tmp_path / "none.glb")])
    with pytest.raises(SystemExit):
        cli.main()
    message = capsys.readouterr().err
    assert "none.glb" in message and message.count("\n") == 1


def test_taken_port_gives_way_to_a_free_one():
    with cli.listening_socket(0) as first:
        first.listen()
        taken = first.getsockname()[1]
        with cli.listening_socket(taken) as second:
            assert second.getsockname()[0] == "127.0.0.1"
            assert second.getsockname()[1] not in (0, taken)


def test_free_port_is_used():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    with cli.listening_socket(free) as listener:
        assert listener.getsockname()[1] == free
