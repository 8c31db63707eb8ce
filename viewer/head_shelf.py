"""The heads that a page can speak of by name: the one it opened with, embedded identities, and heads that it sent."""

import dataclasses
import json
import re
import threading

from mesh4d.errors import SpecError
from viewer.head_jobs import HeadJobs

MAIN = "main"
_IDENTITY = re.compile(r"identity-(\d{1,6})-([a-z]{1,20})", re.ASCII)


class HeadShelf:
    """Rigs and maps of heads by the page's name for them."""

    def __init__(self, main_glb: bytes, jobs: HeadJobs) -> None:
        self._main = main_glb
        self._jobs = jobs
        self._maps: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def glb(self, key: str) -> bytes | None:
        """The rig as our readers take it; None for an unknown head."""
        if key in ("", MAIN):
            return self._main
        if match := _IDENTITY.fullmatch(key):
            from viewer.identities import identity_glb

            try:
                return identity_glb(int(match[1]), match[2])
            except SpecError:
                return None
        return self._jobs.extra(key, ".glb")

    def map_json(self, key: str) -> bytes | None:
        """Landmarks and regions as JSON; None for an unknown head. The first time a head may take seconds.

        Raises:
            MeshError: when no face is found on it.
        """
        if _IDENTITY.fullmatch(key):
            from viewer.identities import embedded_map

            return json.dumps(dataclasses.asdict(embedded_map())).encode()
        if (known := self._jobs.extra(key, ".json")) is not None:
            return known
        content = self.glb(key)
        if content is None:
            return None
        with self._lock:
            if key not in self._maps:
                self._maps = {key: _found_map(content)}  # one is enough: the page asks when it needs it
            return self._maps[key]


def _found_map(glb_bytes: bytes) -> bytes:
    from viewer.head_map import map_of_glb

    return json.dumps(dataclasses.asdict(map_of_glb(glb_bytes))).encode()
