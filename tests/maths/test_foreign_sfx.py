"""The file of aisfx in its own layout, against librosa's mel bank and plain operations on its numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from core.backbones import sfx
from core.checkpoints.foreign import _model, aisfx
from core.checkpoints.foreign._asked import Asked
from core.checkpoints.foreign._tensors import Opened
from core.contracts import Media, Receipt
from core.errors import UserFacingError
from core.fingerprint import numpy_generator, torch_generator
from core.settings import Settings
from tests.hostile.weights_files import saved
from tests.maths.mels import mel_power
from tests.maths.panns_golden import chirp, weigh

HEADS = {"prosfx": (0, 78), "hpxdigital": (1, 3)}


def published(heads: dict[str, tuple[int, int]]) -> tuple[dict[str, Tensor], dict[str, tuple[np.int64, np.int64]]]:
    """Weights by formula in the layout of the published file: a pair, its table in NumPy's integers."""
    network = sfx.build(2, torch_generator(0)).state_dict()
    state = {name: tensor.clone() for name, tensor in network.items() if name.startswith("embedding_net.")}
    for index, count in heads.values():
        for layer, shape in ((0, (256, 512)), (2, (128, 256)), (4, (count, 128))):
            state |= {
                f"fc.{index}.{layer}.weight": torch.zeros(shape),
                f"fc.{index}.{layer}.bias": torch.zeros(shape[0]),
            }
    weigh(state)
    return state, {name: (np.int64(index), np.int64(count)) for name, (index, count) in heads.items()}


def plain_embedding(state: dict[str, Tensor], wave: np.ndarray) -> Tensor:
    """Mel power, the paper's scaling, and the network as bare operations."""
    wave = wave / np.abs(wave).max()
    bands = {"sr": 44_100, "n_mels": 96, "fmin": 0.0, "fmax": 22_050.0}
    power = mel_power(wave, n_fft=2048, hop=1024, htk=True, **bands)
    x = torch.from_numpy(np.log10(1 + 10_000 * power) / 9.457798957824707).double().T[None, None]
    for block in range(1, 5):
        for layer in (1, 2):
            name = f"embedding_net.conv_block{block}"
            x = F.conv2d(x, state[f"{name}.conv{layer}.weight"].double(), padding=1)
            norm = {
                key: state[f"{name}.bn{layer}.{key}"].double()
                for key in ("running_mean", "running_var", "weight", "bias")
            }
            x = F.relu(F.batch_norm(x, **norm))  # type: ignore[arg-type]
        x = x if block == 4 else F.max_pool2d(x, 2)
    return x.mean(dim=3).amax(dim=2)[0]


def embedding(path: Path, wave: np.ndarray) -> Tensor:
    """What training and serving compute from a file of weights and a decoded sound."""
    network = sfx.build(2, torch_generator(1), weights=path)
    media = Media("audio", wave.astype(np.float32), 44_100, "0" * 64, Receipt("wav", "PCM 16 bit", 1, rate=44_100))
    with torch.no_grad():
        return network.embed(network.prepare(media).tensor[None])[0]


@pytest.mark.parametrize("legacy", [False, True])
def test_an_imported_file_gives_the_embedding(tmp_path: Path, settings: Settings, legacy: bool) -> None:
    pair = published(HEADS)
    found = _model.read(saved(pair, tmp_path / "checkpoint.pth", legacy=legacy), "aisfx", Asked())
    assert found.foreign.method is None
    assert set(found.foreign.tensors) == {name for name in pair[0] if not name.startswith("fc.")}
    assert "prosfx 78, hpxdigital 3" in found.foreign.notes[-1]
    wave = chirp(44_100).numpy() + 0.05 * numpy_generator("hiss").standard_normal(5 * 44_100).astype(np.float32)
    path = _model.save(found, "mine", settings)
    torch.testing.assert_close(embedding(path, wave).double(), plain_embedding(pair[0], wave), atol=1e-4, rtol=0)


def test_the_table_of_heads_is_compared_with_the_heads(tmp_path: Path) -> None:
    state, table = published(HEADS)
    for wrong in ({"prosfx": (0, 79)}, {"prosfx": (5, 78)}, {"prosfx": 78}, {"prosfx": ("a", "b")}):
        with pytest.raises(UserFacingError, match="table of heads"):
            aisfx.read(Opened((state, {**table, **wrong})), Asked())
    for value in (state, (state,), (table, [1]), [state, table, 3]):
        with pytest.raises(UserFacingError, match=r"not laid out|no tensor"):
            aisfx.read(Opened(value), Asked())
