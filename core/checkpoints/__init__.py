"""Trained models as folders: weights that differ from public ones, a card, and what was held out of their training."""
