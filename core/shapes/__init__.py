"""Shapes as functions: solids with a known truth, what is seen of them, networks that fill in the rest, and meshes.

Solids and what is seen of them are numpy; ``networks`` and ``fields`` are torch.
"""
