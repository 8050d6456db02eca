"""Synthetic twins of the corpora: who they show, in which expressions, by which face and which scanner."""
