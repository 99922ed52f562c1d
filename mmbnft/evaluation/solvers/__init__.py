"""Convex solvers of linear heads."""
