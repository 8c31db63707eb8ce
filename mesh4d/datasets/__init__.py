"""Data sets as tables of records, and the proof that their splits share no subject."""
