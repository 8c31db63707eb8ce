"""Training of the landmark networks of `mesh4d.landmarks` on the embedded head's identities and expressions."""
