"""facet_vlm"""
