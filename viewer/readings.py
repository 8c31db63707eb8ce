"""FACET-VLM for the page: one warm process that reads faces, the newest first, and is ended when it hangs."""

import json
import struct
import subprocess
import sys
import threading
from typing import Any

from viewer.messages import Reading

SECONDS = 120.0
"""The first answer waits for the model and, on other topologies, for a registration."""
MOST_VERTICES = 2_000_000
MOST_FACES = 4_000_000
_COUNTS = struct.Struct("<II")


class ReadingError(RuntimeError):
    """No reading, and why, in words for the reader."""


class SupersededError(ReadingError):
    """A newer face came while this one waited."""


class UnknownSurfaceError(ReadingError):
    """The head that is meant was not sent, or is no longer kept."""


class Readings:
    """Starts `viewer.reading_worker` on the first head, and keeps it."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._surface = ("", b"", 0)
        self._met = ""
        self._newest = 0
        self._turn = threading.Lock()

    def keep(self, key: str, content: bytes) -> None:
        """A head at rest: two counts, vertices in float32, triangles in uint32.

        Raises:
            ReadingError: when the content is none.
        """
        vertices, faces = _COUNTS.unpack_from(content.ljust(_COUNTS.size, b"\0"))
        if not (0 < vertices <= MOST_VERTICES and 0 < faces <= MOST_FACES):
            raise ReadingError(f"expected 1 to {MOST_VERTICES} vertices and 1 to {MOST_FACES} triangles")
        if len(content) != _COUNTS.size + 12 * vertices + 12 * faces:
            raise ReadingError(f"expected {vertices} vertices and {faces} triangles, found {len(content)} bytes")
        with self._turn:
            self._surface = (key, content, vertices)

    def read(self, key: str, content: bytes) -> Reading:
        """What the model says of a kept head with other vertices. Older requests that still wait give way.

        Raises:
            SupersededError: when a newer request came.
            UnknownSurfaceError: when the head is not kept.
            ReadingError: when the content does not fit, or the model found no face.
        """
        self._newest += 1
        ticket = self._newest
        with self._turn:
            if ticket != self._newest:
                raise SupersededError("a newer face came")
            kept, surface, vertices = self._surface
            if key != kept:
                raise UnknownSurfaceError("this head is not known any more")
            if len(content) != 12 * vertices:
                raise ReadingError(f"expected {vertices} vertices, found {len(content)} bytes")
            if self._met != key:
                faces = _COUNTS.unpack_from(surface)[1]
                self._asked({"vertices": vertices, "faces": faces}, surface[_COUNTS.size :])
                self._met = key
            answer = self._asked({"vertices": vertices}, content)
        said: Any = answer["reading"]
        fields: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in said.items()
        }
        return Reading(**fields)

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _asked(self, request: dict[str, int], content: bytes) -> dict[str, object]:
        process = self._running()
        timer = threading.Timer(self._seconds, process.kill)
        timer.daemon = True
        timer.start()
        try:
            if process.stdin is None or process.stdout is None:
                raise ReadingError("the model's process has no pipes")
            process.stdin.write(json.dumps(request).encode() + b"\n" + content)
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = b""
        finally:
            timer.cancel()
        if not line:
            self._met = ""
            process.kill()
            raise ReadingError(f"the model broke off, or took more than {self._seconds:g} seconds")
        answer = json.loads(line)
        if "error" in answer:
            raise ReadingError(str(answer["error"]))
        return answer

    def _running(self) -> "subprocess.Popen[bytes]":
        if self._process is None or self._process.poll() is not None:
            self._met = ""
            command = [sys.executable, "-m", "viewer.reading_worker"]
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip
        return self._process
