"""From saved predictions to numbers that can be trusted."""
