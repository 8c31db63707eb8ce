"""facet_vlm: facial expressions of 3D and 4D heads by a vision-language model over several views.

The public names load on first use, because torch takes seconds to import and most commands can answer without it.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from facet_vlm.evaluation.report import Report
    from facet_vlm.predict import FacetVLM, load
    from facet_vlm.predictions import Predictions

__all__ = ["FacetVLM", "Predictions", "Report", "load"]

_HOME = {"FacetVLM": "predict", "load": "predict", "Predictions": "predictions", "Report": "evaluation.report"}


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(f"facet_vlm.{_HOME[name]}"), name)
    raise AttributeError(f"module 'facet_vlm' has no attribute {name!r}")
