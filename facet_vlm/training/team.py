"""Several processes that train one network: started by torchrun, or just this one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed, nn


@dataclass(frozen=True)
class Team:
    """Who trains; a team of one talks to nobody."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """The one that writes files."""
        return self.rank == 0

    def share_of(self, batch_size: int) -> int:
        """Samples of a batch that each member takes."""
        return max(1, batch_size // self.size)

    def wait(self) -> None:
        """Until all members are here."""
        if self.size > 1:
            distributed.barrier()

    def average_gradients(self, network: nn.Module) -> None:
        """Give every member the mean of all members' gradients.

        Weights stay equal, since all started equal. Gradients travel as one vector, as DistributedDataParallel's
        buckets do; that class itself is not used, because the network is asked for more than its `forward`.
        """
        if self.size == 1:
            return
        gradients = [weight.grad for weight in network.parameters() if weight.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        distributed.all_reduce(flat)
        flat /= self.size
        for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    def agree_on_buffers(self, network: nn.Module) -> None:
        """Average running statistics, which each member gathered from its own samples."""
        if self.size == 1:
            return
        for buffer in network.buffers():
            if buffer.is_floating_point():
                distributed.all_reduce(buffer)
                buffer /= self.size


ALONE = Team()


@contextmanager
def team() -> Iterator[Team]:
    """The team that torchrun started this process in; NCCL on GPUs, else gloo."""
    if "RANK" not in os.environ or int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield ALONE
        return
    distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        if torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
        yield Team(distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()
