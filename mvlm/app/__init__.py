"""The live page: a scan read, a face of one's own, the paper; what computes is in one process beside it."""
