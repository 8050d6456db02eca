"""Notebooks run by their content, their results verified, their pages."""
