"""Pseudo-labels: where the classes of unlabelled samples come from."""
