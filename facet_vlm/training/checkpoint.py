"""Where a run stands, and the file that lets it go on to the same numbers."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

import torch

CHECKPOINT = "checkpoint.pt"
Network = TypeVar("Network", bound=torch.nn.Module)


@dataclass
class Progress:
    """Where a run stands."""

    epoch: int = 0
    best_epoch: int = 0
    best_uar: float = -1.0
    looks_since_best: int = 0
    best: dict[str, torch.Tensor] = field(default_factory=dict)
    """Weights of the best epoch."""

    def keep_if_best(self, uar: float, network: torch.nn.Module) -> None:
        """Remember the network when no earlier one was better."""
        self.looks_since_best += 1
        if uar >= self.best_uar:
            self.best_epoch, self.best_uar, self.looks_since_best = self.epoch, uar, 0
            self.best = {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}

    def is_over(self, patience: int | None) -> bool:
        """True when too many looks brought nothing better."""
        return patience is not None and self.looks_since_best >= patience


@dataclass(frozen=True)
class Running(Generic[Network]):
    """All that changes while training."""

    network: Network
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    total_steps: int
    progress: Progress

    def save(self, folder: Path) -> None:
        """Write the checkpoint, whole or not at all."""
        parts = {name: getattr(self, name).state_dict() for name in ("network", "optimizer", "schedule")}
        temporary = folder / f"{CHECKPOINT}.part"
        torch.save(parts | {"progress": vars(self.progress)}, temporary)
        temporary.replace(folder / CHECKPOINT)

    def restored(self, folder: Path) -> "Running[Network]":
        """Back at the checkpoint of a folder, if it has one."""
        path = folder / CHECKPOINT
        if not path.is_file():
            return self
        state = torch.load(path, weights_only=True, map_location="cpu")
        for name in ("network", "optimizer", "schedule"):
            getattr(self, name).load_state_dict(state[name])
        return dataclasses.replace(self, progress=Progress(**state["progress"]))
