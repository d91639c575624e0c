"""Stochastic building blocks: noise by counter, masks, Flipout, Bayesian normalisation, and surgery on networks.

A stochastic layer is its deterministic twin until ``with noise(context):`` gives it noise.
"""

from core.layers._noise import NoiseContext, current, key_of, keys_of, layer_id_of, noise

__all__ = ["NoiseContext", "current", "key_of", "keys_of", "layer_id_of", "noise"]
