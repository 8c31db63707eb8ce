"""What the network reads about faces: words, sentences per label, prompts that learn."""
