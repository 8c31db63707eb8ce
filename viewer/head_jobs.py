"""Heads that a page sent: one worker process at a time, watched, bounded in time, and ended when nobody wants it."""

import json
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path

from viewer.messages import HeadJob

SECONDS = 300.0
"""How long a head may take."""
SEQUENCE_SECONDS = 3600.0
KEPT = 4
"""Finished jobs that are remembered."""


@dataclass
class _Run:
    folder: "tempfile.TemporaryDirectory[str]"
    name: str
    process: "subprocess.Popen[str]"
    stage: str = "reading"
    error: str = ""
    state: str = "running"
    timer: threading.Timer | None = None
    payload: bytes = b""
    source: Path | None = None
    """The file that the reader sent, while it is kept."""
    extras: dict[str, bytes] = field(default_factory=dict)
    """What else the worker made, by suffix."""
    finished: threading.Event = field(default_factory=threading.Event)


class HeadJobs:
    """Starts and watches `viewer.head_worker`; a new head ends one that is still worked on."""

    worker = "viewer.head_worker"
    """The module that does the work, called with the source, the target and the name."""
    keeps_source = True
    """Whether the file that was sent is kept, to be worked on in another way."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._runs: dict[str, _Run] = {}
        self._lock = threading.Lock()

    def start(self, folder: "tempfile.TemporaryDirectory[str]", source: Path, name: str, *more: str) -> str:
        """Begin with a file that lies in `folder`, which is removed at the end; returns the job's id.

        Args:
            name: what the reader calls the file, for messages.
            more: further arguments of the worker's.
        """
        with self._lock:
            for place, job in enumerate(list(self._runs)):
                if self._runs[job].state == "running" or place <= len(self._runs) - KEPT:
                    self._end(job)
            target = Path(folder.name) / "payload"
            command = [sys.executable, "-m", self.worker, str(source), str(target), name, *more]
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                start_new_session=True,
            )  # fmt: skip
            job = secrets.token_urlsafe(12)
            run = self._runs[job] = _Run(folder, name, process, source=source)
            run.timer = threading.Timer(self._seconds, self._too_late, [run])
            run.timer.daemon = True
            run.timer.start()
            threading.Thread(target=self._watch, args=[run, target], daemon=True).start()
        return job

    def status(self, job: str) -> HeadJob | None:
        """How far a job is; None when there is none of this name."""
        run = self._runs.get(job)
        return None if run is None else HeadJob(job, run.name, run.state, run.stage, run.error)

    def payload(self, job: str) -> bytes | None:
        """What the page shows, once the job is done."""
        run = self._runs.get(job)
        return run.payload if run is not None and run.state == "done" else None

    def extra(self, job: str, suffix: str) -> bytes | None:
        """What else the worker left beside the payload, such as ".glb"; None when there is none."""
        run = self._runs.get(job)
        return run.extras.get(suffix) if run is not None and run.state == "done" else None

    def again(self, job: str, *more: str) -> str | None:
        """Work on a kept file in another way, as a job of its own; its id, None when the file is gone."""
        run = self._runs.get(job)
        if run is None or run.source is None or not run.source.exists():
            return None
        folder = tempfile.TemporaryDirectory(prefix="mesh4d-viewer-")
        sent = run.source.is_relative_to(run.folder.name)  # and not a file of the server's own
        source = Path(shutil.copy2(run.source, folder.name)) if sent else run.source
        return self.start(folder, source, run.name, *more)

    def cancel(self, job: str) -> bool:
        """End a job and forget it; whether there was one."""
        with self._lock:
            return self._end(job)

    def wait(self, job: str, seconds: float) -> None:
        """Until the job is over, for callers without a page."""
        self._runs[job].finished.wait(seconds)

    def close(self) -> None:
        """End whatever runs."""
        with self._lock:
            for job in list(self._runs):
                self._end(job)

    def _end(self, job: str) -> bool:
        run = self._runs.pop(job, None)
        if run is None:
            return False
        run.process.kill()
        if run.finished.is_set():
            run.folder.cleanup()
        return True

    def _too_late(self, run: _Run) -> None:
        run.error = f"{run.name}: not done after {self._seconds:g} seconds"
        run.process.kill()

    def _watch(self, run: _Run, target: Path) -> None:
        if run.process.stdout is not None:
            for line in run.process.stdout:
                said = _message(line)
                run.stage = said.get("stage", run.stage)
                run.error = run.error or said.get("error", "")
        code = run.process.wait()
        if run.timer is not None:
            run.timer.cancel()
        if code == 0 and target.exists():
            run.payload = target.read_bytes()
            run.extras = {path.suffix: path.read_bytes() for path in target.parent.glob("payload.*")}
            run.state = "done"
        else:
            run.error = run.error or f"{run.name}: the reader broke off (code {code})"
            run.state = "failed"
        forgotten = all(each is not run for each in list(self._runs.values()))
        if run.state != "done" or forgotten or not self.keeps_source:
            run.folder.cleanup()
        run.finished.set()


class SequenceJobs(HeadJobs):
    """Starts and watches `viewer.sequence_worker`."""

    worker = "viewer.sequence_worker"
    keeps_source = False

    def __init__(self, seconds: float = SEQUENCE_SECONDS) -> None:
        super().__init__(seconds)


def _message(line: str) -> dict[str, str]:
    """A line of the worker's; whatever libraries print between is none."""
    try:
        said = json.loads(line)
    except json.JSONDecodeError:
        return {}
    return {key: str(value) for key, value in said.items()} if isinstance(said, dict) else {}
