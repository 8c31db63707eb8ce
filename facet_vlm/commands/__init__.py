"""The commands of `facet-vlm`, one a module."""
