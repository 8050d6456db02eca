"""Trainers: of an adapter on frozen towers (quick), and of both towers end to end (full)."""
