"""The lecture notes' networks: their sizes, their spectrogram, and their faults put right."""

from __future__ import annotations

import librosa
import numpy as np
import torch

from core.backbones import lecture_convnet, lecture_lstm, timm_vision
from core.backbones._size import describe
from core.fingerprint import numpy_generator, torch_generator

SAMPLES = 80_000  # 5 s at 16 kHz


def clips(count: int, *seed: object) -> np.ndarray:
    noise = numpy_generator("clips", *seed).standard_normal((count, SAMPLES)) * np.linspace(0.01, 0.3, SAMPLES)
    return noise.astype(np.float32)


def test_the_three_networks_have_the_weights_of_the_notes() -> None:
    generator, wave = torch_generator(0), torch.zeros(1, SAMPLES)
    assert describe(lecture_lstm.build(4, generator), wave).params == 5_121_324
    assert describe(lecture_convnet.build(4, generator), wave).params == 134_020
    resnet = timm_vision.build(4, generator, config=timm_vision.LECTURE_RESNET18)
    assert describe(resnet, wave).params == 11_178_564
    assert sum(weight.numel() for weight in resnet.head.parameters()) == 2_052
    assert resnet.stages[0][1](wave).shape == (1, 3, 128, 157)


def test_an_lstm_answer_does_not_depend_on_the_rest_of_the_batch_or_its_order() -> None:
    network, waves = lecture_lstm.build(4, torch_generator(0)), torch.from_numpy(clips(4))
    with torch.no_grad():
        together, backwards = network(waves), network(waves.flip(0)).flip(0)
        alone = torch.cat([network(wave[None]) for wave in waves])
    torch.testing.assert_close(together, backwards, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=1e-5)


def test_the_notes_reading_of_a_batch_did_depend_on_it() -> None:
    """The fault itself, so that it is known what was put right: (items, 80,000) is one sequence to torch."""
    network, waves = lecture_lstm.build(4, torch_generator(0)), torch.from_numpy(clips(4))
    lstm = network.get_submodule("lstm.lstm")
    with torch.no_grad():
        forwards, backwards = lstm(waves)[0], lstm(waves.flip(0))[0].flip(0)
    assert (forwards - backwards).abs().max() > 1e-3


def test_the_lstm_step_is_the_textbook_s() -> None:
    network, wave = lecture_lstm.build(4, torch_generator(3)), torch.from_numpy(clips(1))
    state = {name.rpartition(".")[2]: tensor for name, tensor in network.get_submodule("lstm").state_dict().items()}
    gates = wave @ state["weight_ih_l0"].T + state["bias_ih_l0"] + state["bias_hh_l0"]
    enter, _, cell, leave = gates.chunk(4, dim=1)  # nothing to forget at the first step
    expected = leave.sigmoid() * torch.tanh(enter.sigmoid() * cell.tanh())
    with torch.no_grad():
        torch.testing.assert_close(network.embed(wave), expected, atol=1e-6, rtol=1e-5)


def test_the_convnet_sees_the_notes_spectrogram() -> None:
    network, wave = lecture_convnet.build(4, torch_generator(0)), clips(1)[0]
    wave[:16_000] = 0  # deeper than 80 dB
    power = librosa.feature.melspectrogram(y=wave.astype(np.float64), sr=16_000, n_mels=128, fmax=8000)
    expected = librosa.power_to_db(power, ref=np.max)
    seen = network.stages[0][1](torch.from_numpy(wave)[None])
    assert seen.shape == (1, 1, 128, 157)
    np.testing.assert_allclose(seen[0, 0].numpy(), expected, atol=1e-3)
    assert seen.max() == 0
    assert seen.min() >= -80


def test_the_convnet_shrinks_as_in_the_notes() -> None:
    network, x = lecture_convnet.build(4, torch_generator(0)), torch.from_numpy(clips(2))
    shapes = []
    with torch.no_grad():
        for _, stage in network.stages:
            x = stage(x)
            shapes.append(tuple(x.shape[1:]))
    assert shapes == [(1, 128, 157), (16, 64, 78), (32, 32, 39), (64, 16, 19), (128, 8, 9), (9216,)]
