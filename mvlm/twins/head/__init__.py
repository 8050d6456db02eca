"""The parametric head that draws the twins."""
