"""The README's example runs as it stands, and its commands exist."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_python_example_runs(tmp_path):
    (example,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert len(example.strip().splitlines()) <= 12
    done = subprocess.run([sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "rig.glb").exists()


@pytest.mark.parametrize("command", ["mesh4d", "aublend", "facet-vlm", "mesh4d-viewer"])
def test_commands_say_what_they_do(command):
    done = subprocess.run(
        [str(Path(sys.executable).parent / command), "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and "usage" in done.stdout.lower()
    assert f"`{command}" in README or f"{command} " in README


def test_the_tree_in_the_readme_is_the_tree():
    for line in README.split("```text\n")[1].split("```")[0].splitlines():
        name = line.split()[0] if line.strip() else ""
        if name and "/" not in name.rstrip("/") and not line.startswith(" "):
            assert (ROOT / name).exists(), name
