"""Image and text towers, fusion over views, and the file that keeps their weights."""
