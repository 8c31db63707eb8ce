"""Faces as network input: how they are synthesised, framed, rendered and kept."""
