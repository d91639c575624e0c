"""Rows I-01 to I-22: every bad picture is refused in one sentence or accepted with a note, and nothing else breaks."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageCms

from core.errors import MediaError
from core.media import door
from core.media.sandbox import Sandbox
from tests.hostile.audio_files import Case
from tests.hostile.image_files import CASES, commented, exif_with_place, float_tiff, pixels, plain, png, saved

Watch = Callable[[], None]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_bad_picture_is_answered_as_listed(case: Case, sandbox: Sandbox, watched: Watch) -> None:
    raw = case.make()
    watched()
    if case.refused:
        with pytest.raises(MediaError) as caught:
            door.open_media(raw, sandbox=sandbox)
        assert caught.value.code == case.refused
        assert 20 < len(str(caught.value)) < 320
        assert "Error" not in str(caught.value)
        return
    view = door.open_view(raw, sandbox=sandbox)
    assert view.media.kind == "image"
    assert [code for code in case.notes if not view.media.receipt.has(code)] == []


def test_every_row_of_the_table_is_here() -> None:
    """The rows that compare pixels or hashes are written out below."""
    below = {"I-12", "I-13", "I-14", "I-21", "I-22"}
    assert {case.row for case in CASES} | below == {f"I-{n:02d}" for n in range(1, 23)}


def opened(raw: bytes, sandbox: Sandbox) -> np.ndarray:
    return door.open_media(raw, sandbox=sandbox).samples


def test_cmyk_is_converted_by_the_ink_formula(sandbox: Sandbox) -> None:
    """Row I-12. Without a profile: light left by each ink times light left by black."""
    inks = np.zeros((40, 40, 4), np.uint8)
    inks[:] = (255, 0, 51, 0)
    found = opened(saved(Image.fromarray(inks, "CMYK"), "TIFF"), sandbox)
    assert np.abs(found[0, 0].astype(int) - (0, 255, 204)).max() <= 1


@pytest.mark.filterwarnings("ignore:'mode' parameter:DeprecationWarning")
def test_16_bit_grey_is_scaled_and_not_clipped(sandbox: Sandbox) -> None:
    """Row I-12: 0 to 65535 becomes 0 to 255, rounded."""
    ramp = np.linspace(0, 65535, 4096).round().astype(np.uint16).reshape(64, 64)
    expected = np.round(ramp / 257.0).astype(np.uint8)
    for form in ("PNG", "TIFF"):
        media = door.open_media(saved(Image.fromarray(ramp), form), sandbox=sandbox)
        assert media.receipt.has("16-bit")
        assert np.array_equal(media.samples, np.repeat(expected[:, :, None], 3, 2))


def test_16_bit_colour_says_that_it_lost_half_its_bits(sandbox: Sandbox) -> None:
    """Row I-12: the library does it silently."""
    values = np.random.default_rng(1).integers(0, 65536, (40, 40, 3)).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    media = door.open_media(png(40, 40, 16, 2, rows), sandbox=sandbox)
    assert media.receipt.has("16-bit")
    assert media.receipt.codec == "RGB 16 bit"
    assert np.abs(media.samples - values / 257.0).max() <= 1


def test_transparency_lies_over_white(sandbox: Sandbox) -> None:
    """Row I-12: alpha, and a palette with a transparent entry."""
    colours = np.zeros((40, 40, 4), np.uint8)
    colours[:, :20] = (200, 100, 0, 51)
    media = door.open_media(saved(Image.fromarray(colours), "PNG"), sandbox=sandbox)
    assert media.samples[0, 0].tolist() == [244, 224, 204]  # 0.2 of the colour, 0.8 of white
    assert media.samples[0, 30].tolist() == [255, 255, 255]
    assert media.receipt.has("flattened")
    palette = Image.new("P", (40, 40), 1)
    palette.putpalette([255, 0, 0, 0, 0, 255])
    palette.paste(0, (0, 0, 20, 40))
    shown = opened(saved(palette, "PNG", transparency=0), sandbox)
    assert shown[0, 0].tolist() == [255, 255, 255]
    assert shown[0, 30].tolist() == [0, 0, 255]


def test_one_bit_lab_and_float_have_their_reference_values(sandbox: Sandbox) -> None:
    """Row I-12. Lab 53.24, 80.09, 67.20 is red in sRGB."""
    bits = np.zeros((40, 40), bool)
    bits[:, 20:] = True
    assert opened(saved(Image.fromarray(bits), "PNG"), sandbox)[0, [0, 39], 0].tolist() == [0, 255]
    lab = Image.merge("LAB", [Image.new("L", (40, 40), v) for v in (136, 128 + 80, 128 + 67)])
    assert np.abs(opened(saved(lab, "TIFF"), sandbox)[0, 0].astype(int) - (255, 0, 0)).max() <= 12
    media = door.open_media(float_tiff(0.0, 0.5, 1.0), sandbox=sandbox)
    assert media.samples[0, :3, 0].tolist() == [0, 128, 255]
    wide = door.open_media(float_tiff(-1.0, 3.0), sandbox=sandbox)
    assert wide.receipt.has("stretched")
    assert wide.samples[0, :2, 0].tolist() == [0, 255]


@pytest.mark.parametrize("turn", range(2, 9))
def test_a_turned_photo_equals_the_upright_one(turn: int, sandbox: Sandbox) -> None:
    """Row I-13: the pixels are stored as the tag says that a camera held sideways would store them."""
    upright = pixels(40, 60)
    stored = {
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
        8: lambda a: np.rot90(a, -1),
    }[turn](upright)
    exif = Image.Exif()
    exif[0x0112] = turn
    for form in ("PNG", "WEBP", "TIFF"):
        options = {"lossless": True} if form == "WEBP" else {}
        raw = saved(Image.fromarray(np.ascontiguousarray(stored)), form, exif=exif, **options)
        media = door.open_media(raw, sandbox=sandbox)
        assert np.array_equal(media.samples, upright)
        assert media.receipt.has("turned")


def test_places_and_comments_reach_neither_receipt_nor_thumbnail(sandbox: Sandbox) -> None:
    """Row I-14."""
    for raw in (exif_with_place(), commented()):
        view = door.open_view(raw, sandbox=sandbox)
        assert "script" not in str(view.media.receipt.to_json())
        assert b"script" not in view.thumbnail
        assert not Image.open(io.BytesIO(view.thumbnail)).getexif()


def test_a_wide_profile_is_converted_and_srgb_left_alone(sandbox: Sandbox) -> None:
    """Row I-20, the other half: a sound profile is used. XYZ turned into a profile of swapped primaries."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    same = door.open_media(plain("PNG", icc_profile=srgb), sandbox=sandbox)
    assert np.array_equal(same.samples, pixels())
    red, blue = srgb.find(b"rXYZ"), srgb.find(b"bXYZ")
    swapped = bytearray(srgb.replace(b"s\0R\0G\0B", b"t\0e\0s\0t").replace(b"sRGB b", b"test b"))
    swapped[red : red + 4], swapped[blue : blue + 4] = b"bXYZ", b"rXYZ"
    other = door.open_media(plain("PNG", icc_profile=bytes(swapped)), sandbox=sandbox)
    assert other.receipt.has("icc")
    assert np.abs(other.samples.astype(int) - pixels()[:, :, ::-1]).mean() < 2


def test_a_format_without_its_plug_in_is_refused_with_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """Row I-21, in this process: the child of a machine without the plug-in is not at hand."""
    from core.media import image

    raw = plain("HEIF")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    monkeypatch.setattr(Image, "OPEN", {k: v for k, v in Image.OPEN.items() if k != "HEIF"})
    with pytest.raises(MediaError, match="HEIC is not supported here; send one of PNG, JPEG"):
        image.decode(raw, "heic", "")


def test_identity_is_the_bytes_and_nothing_else(sandbox: Sandbox) -> None:
    """Row I-22: names play no part, so two names of the same bytes meet in one hash."""
    import hashlib

    first, second = plain("PNG"), plain("BMP")
    assert door.open_media(first, sandbox=sandbox).sha256 == hashlib.sha256(first).hexdigest()
    assert door.open_media(first, sandbox=sandbox).sha256 != door.open_media(second, sandbox=sandbox).sha256
