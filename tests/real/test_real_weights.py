"""The published sound-effects weights, wherever ``weights fetch sfx`` ran before."""

from __future__ import annotations

import pytest
import torch

from core.checkpoints import weights
from core.checkpoints.foreign import aisfx
from core.checkpoints.foreign._asked import Asked
from core.checkpoints.foreign._tensors import open_file
from core.fingerprint import numpy_generator
from core.settings import Settings
from tests.maths.panns_golden import chirp
from tests.maths.test_foreign_sfx import embedding, plain_embedding


def test_the_published_sound_effects_weights_give_the_embedding_of_plain_operations() -> None:
    found = next(entry for entry in weights.known(Settings()) if entry.known.key == "sfx")
    if found.original is None or found.tensors is None:
        pytest.skip("the published weights are not on this machine")
    state = dict(aisfx.read(open_file(found.original), Asked()).tensors)
    trainable = [tensor for name, tensor in state.items() if not name.endswith(("mean", "var", "tracked"))]
    assert sum(tensor.numel() for tensor in trainable) == 4_686_144
    wave = chirp(44_100).numpy() + 0.05 * numpy_generator("hiss").standard_normal(5 * 44_100).astype("float32")
    expected = plain_embedding(state, wave)
    assert float(expected.std()) > 0.01
    torch.testing.assert_close(embedding(found.tensors, wave).double(), expected, atol=1e-4, rtol=0)
