"""The parametric head that the foundation learns from; a twin can be drawn by it, too."""
