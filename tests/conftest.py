"""Shared by all tests."""

# The first optimizer of a process loads triton, whose LLVM crashed on loading after many kernels of numba's LLVM had
# been compiled in the same process; loaded first, the two get along.
import torch._dynamo  # noqa: F401
