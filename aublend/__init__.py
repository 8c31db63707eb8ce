"""aublend"""
