"""What a model looks at: halves of the face, single cues, parts of the network, more data."""
