"""Grids of checkpoints x tasks x protocols x splits x seeds that resume after a kill."""
