"""Geometry on arrays: normals, rigid motion, and what registration builds on them."""
