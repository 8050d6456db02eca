"""Scans of one's own: verdicts on them, as words and as pictures, and the commands that show both."""
