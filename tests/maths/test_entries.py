"""What networks are given: spectrograms against librosa, pictures against timm's own preparation, known weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core.backbones import _weights, efficientnet_lite, sfx, timm_vision
from core.backbones._entry import PictureEntry, SoundEntry
from core.backbones._frontends import LinearLog, MelPicture, PaddedMel, htk_bank
from core.contracts import Media, Receipt
from core.errors import UserFacingError
from core.fingerprint import numpy_generator, torch_generator
from core.media.spectrogram import PANNS, MelConfig
from tests.maths.mels import mel_bank, mel_power
from tests.maths.panns_golden import chirp, numbers, weigh

# what the code of aisfx 0.1.2 computes with weights by formula (panns_golden.weigh) of the chirp at 44.1 kHz, peak 1
SFX_EMBEDDING = (
    "0.0 0.02485172 0.0535967 0.06376366 0.0569641 0.0004197516 0.0 0.0 0.0 0.03187891 0.0690012 0.04872132 "
    "0.0002534827 0.0 0.0 0.02949392 0.06095872 0.06160777 0.0 0.0 0.007631458 0.06457097 0.05934283 0.0001412563 "
    "0.0 0.01751752 0.05680444 0.04099453 0.0 0.0 0.04911493 0.06490744"
)
SFX_MEAN_STD = (0.02517348900437355, 0.026625197380781174)


def sound(samples: np.ndarray, rate: int) -> Media:
    return Media("audio", samples.astype(np.float32), rate, "0" * 64, Receipt("wav", "PCM 16 bit", 1, rate=rate))


def picture(height: int, width: int, smooth: int = 6) -> Media:
    """Blurred noise, so that filters differ little where they should."""
    tiny = numpy_generator("picture", height, width).integers(0, 256, (smooth, smooth, 3), dtype=np.uint8)
    pixels = np.asarray(Image.fromarray(tiny).resize((width, height), Image.Resampling.BICUBIC))
    return Media("image", pixels, None, "0" * 64, Receipt("png", "RGB 8 bit", 1, width=width, height=height))


@pytest.mark.parametrize("scale", ["slaney", "htk"])
def test_padded_mel_is_librosas(scale: str) -> None:
    mel = PaddedMel(22_050, 1024, 300, 40, f_max=9_000.0, f_min=30.0, scale=scale)  # type: ignore[arg-type]
    wave = numpy_generator("mel").standard_normal(8_000)
    bands = {"sr": 22_050, "n_mels": 40, "fmin": 30, "fmax": 9_000}
    expected = mel_power(wave, n_fft=1024, hop=300, htk=scale == "htk", **bands)
    got = mel.power(torch.from_numpy(wave)[None])[0].numpy()
    np.testing.assert_allclose(got.T, expected, rtol=1e-5)
    assert mel.frames(8_000) == len(got)


def test_htk_bands_have_unit_sum_and_librosas_edges() -> None:
    bank = htk_bank(sfx.MEL)
    np.testing.assert_allclose(bank.sum(axis=1), 1.0)
    expected = mel_bank(sr=44_100, n_fft=2048, n_mels=96, fmin=0, fmax=22_050, htk=True)
    np.testing.assert_allclose(bank, expected, atol=1e-6)


def test_linear_log_has_its_gain_and_top() -> None:
    mel = PaddedMel(8_000, 256, 100, 8, f_max=4_000.0)
    wave = torch.rand(2, 1_000, generator=torch_generator(0))
    got = LinearLog(mel, gain=50.0, top=3.0)(wave)
    torch.testing.assert_close(got[:, 0].double(), torch.log10(1 + 50.0 * mel.power(wave)) / 3.0, atol=1e-6, rtol=1e-6)


def test_the_sound_effects_network_computes_what_its_authors_code_does() -> None:
    network = sfx.build(3, torch_generator(0))
    state = network.state_dict()
    weigh({name: tensor for name, tensor in state.items() if name.startswith("embedding_net.")})
    prepared = network.prepare(sound(chirp(44_100).numpy(), 44_100))
    assert prepared.tensor.abs().max() == 1.0
    assert prepared.receipt.has("peak")
    with torch.no_grad():
        vector = network.embed(prepared.tensor[None])[0]
    first = numbers(SFX_EMBEDDING)
    torch.testing.assert_close(vector[: len(first)], first, atol=1e-5, rtol=0)
    facts = torch.stack([vector.mean(), vector.std(correction=0)])
    torch.testing.assert_close(facts, torch.tensor(SFX_MEAN_STD), atol=1e-5, rtol=0)


def test_published_heads_of_the_sound_effects_file_are_left_out(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    source = sfx.build(3, torch_generator(1))
    published = {n: t for n, t in source.state_dict().items() if n.startswith("embedding_net.")}
    save_file({**published, "fc.0.0.weight": torch.zeros(256, 512)}, path := tmp_path / "sfx.safetensors")
    network, wave = sfx.build(7, torch_generator(2), weights=path), chirp(44_100)[None]
    with torch.no_grad():
        assert torch.equal(network.embed(wave), source.embed(wave))
        assert network(wave).shape == (1, 7)


def test_sound_is_resampled_then_cut_or_padded() -> None:
    entry = SoundEntry(16_000, 2.0)
    long, short = sound(np.ones(3 * 8_000), 8_000), sound(np.ones(8_000), 16_000)
    cut, padded = entry.prepare(long), entry.prepare(short)
    assert cut.tensor.shape == padded.tensor.shape == (32_000,)
    assert [note.code for note in cut.receipt.notes] == ["resampled", "cropped"]
    assert [note.code for note in padded.receipt.notes] == ["padded"]
    assert padded.tensor[:8_000].eq(1).all()
    assert not padded.tensor[8_000:].any()


def test_silence_is_not_scaled() -> None:
    prepared = SoundEntry(16_000, 1.0, peak=True).prepare(sound(np.zeros(16_000), 16_000))
    assert not prepared.tensor.any()
    assert not prepared.receipt.has("peak")


@pytest.mark.parametrize(("height", "width"), [(512, 512), (256, 512), (768, 512)])
def test_pictures_are_prepared_as_timm_does(height: int, width: int) -> None:
    """Where timm's rounding to whole pixels plays no part, but for the 8 bits it keeps between its steps."""
    from timm.data.transforms_factory import create_transform

    entry = PictureEntry((224, 224), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 0.875)
    transform = create_transform((3, 224, 224), interpolation="bicubic", crop_pct=0.875)
    media = picture(height, width)
    expected = transform(Image.fromarray(media.samples))
    got = entry.prepare(media)
    assert isinstance(expected, torch.Tensor)
    assert (got.tensor - expected).abs().max() < 0.02  # of which one step of 255 is 0.018
    assert [note.code for note in got.receipt.notes] == ["cropped", "resized"]


def test_a_picture_of_the_right_size_is_only_normalised() -> None:
    media = picture(32, 32)
    got = PictureEntry((32, 32), (0.1, 0.2, 0.3), (0.5, 0.6, 0.7)).prepare(media)
    expected = (media.samples / 255 - np.array([0.1, 0.2, 0.3])) / np.array([0.5, 0.6, 0.7])
    np.testing.assert_allclose(got.tensor.numpy(), expected.transpose(2, 0, 1), atol=1e-6)
    assert got.receipt.notes == ()


def test_the_centre_of_a_long_picture_is_used() -> None:
    pixels = np.zeros((10, 40, 3), np.uint8)
    pixels[:, 15:25] = 255
    media = Media("image", pixels, None, "0" * 64, Receipt("png", "RGB 8 bit", 1))
    got = PictureEntry((5, 5), (0.0,) * 3, (1.0,) * 3).prepare(media)  # type: ignore[arg-type]
    assert float(got.tensor[:, :, 1:4].min()) > 0.9
    note = got.receipt.notes[0]
    assert (note.code, note.alarm) == ("cropped", True)
    assert "25%" in note.text


def test_a_log_mel_is_shown_as_a_grey_picture_low_tones_at_the_bottom() -> None:
    mean, std = (0.4, 0.5, 0.6), (0.2, 0.3, 0.4)
    tone = 0.5 * torch.sin(2 * torch.pi * 200 * torch.arange(32_000) / 32_000)[None]
    shown = MelPicture(PANNS, (48, 80), mean, std)(tone)[0]
    grey = shown * torch.tensor(std)[:, None, None] + torch.tensor(mean)[:, None, None]
    assert grey.shape == (3, 48, 80)
    torch.testing.assert_close(grey[0], grey[2], atol=1e-6, rtol=0)
    assert -1e-6 <= float(grey.min()) <= float(grey.max()) < 1
    assert int(grey[0, :, 40].argmax()) > 40
    level = 10 * np.log10(PANNS.floor)  # silence is below what is shown
    assert level < MelPicture.BLACK
    config = MelConfig(rate=16_000, n_fft=512, hop=160, mels=32, f_max=8_000.0)
    assert MelPicture(config, (32, 101), mean, std)(tone[:, :16_000]).shape == (1, 3, 32, 101)


def test_the_package_weights_are_renamed_by_rule_and_order_alike() -> None:
    """Both state dicts run through the network in the same order: an independent way to pair the names."""
    network = efficientnet_lite.build(1000, torch_generator(0))
    renamed, order = efficientnet_lite.package_weights(), list(network.model.state_dict())
    assert list(renamed) == order
    assert len(order) == 296
    for name, tensor in network.model.state_dict().items():
        assert torch.equal(tensor, renamed[name])
    strided = [part for part in network.modules() if getattr(part, "stride", None) == (2, 2)]
    assert {type(part).__name__ for part in strided} == {"Conv2dSame"}  # the padding these weights need
    entry = network.entry
    assert isinstance(entry, PictureEntry)
    pixel = Media("image", np.full((1, 1, 3), 255, np.uint8), None, "0" * 64, Receipt("png", "RGB 8 bit", 1))
    torch.testing.assert_close(entry.prepare(pixel).tensor, torch.ones(3, 224, 224))  # (255 - 127) / 128


def test_a_pickle_that_is_not_the_published_one_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save({"a": torch.zeros(1)}, path)
    with pytest.raises(UserFacingError, match="not the published one"):
        _weights.read_pinned_pickle(path, efficientnet_lite.SHA256)


def test_timm_is_asked_for_what_it_has() -> None:
    with pytest.raises(UserFacingError, match="resnet18"):
        timm_vision.build(2, torch_generator(0), config=timm_vision.Config(name="resnet1"))
    with pytest.raises(UserFacingError, match="one linear classifier"):
        timm_vision.build(2, torch_generator(0), config=timm_vision.Config(name="resnetv2_18"))


def test_downloads_that_are_switched_off_are_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENUMBRA_OFFLINE", "1")
    with pytest.raises(UserFacingError, match="local safetensors file"):
        timm_vision.build(2, torch_generator(0), config=timm_vision.Config(pretrained=True))
