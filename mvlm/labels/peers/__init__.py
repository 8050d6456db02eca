"""Peers: published ways to adapt a frozen model to unlabelled images, written from their equations.

Each takes unit image rows (N, D) and unit prototypes (C, D), one of each class, and gives probabilities (N, C). The
plain function is transductive: the rows are judged together. `..._inductive` fits on training rows and judges every
other row by itself. Nothing is drawn at random, and the number of threads does not matter. No true label enters; what a
peer knows beside the rows is in its arguments: `subjects` who is who, `shares` how frequent the classes are.
"""
