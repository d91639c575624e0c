"""Penumbra's engine: media, data, models and their uncertainty. Importing it does nothing."""

__version__ = "0.1.0"
