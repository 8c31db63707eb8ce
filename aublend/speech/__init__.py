"""Speech to action units: phonemes from audio or text, visemes, coarticulation, and lips that meet on any rig."""
