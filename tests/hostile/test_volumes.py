"""A person's label maps: read as they lie in space, or refused in one sentence; files of ours open elsewhere."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import nibabel
import numpy as np
import pytest

from core.errors import MediaError, UserFacingError
from core.media.sandbox import Answer, Sandbox
from core.shapes.label_maps import nifti, nrrd, opened
from core.shapes.solids import affine_of, turn_of

SOLID = np.zeros((5, 6, 7), np.uint8)
SOLID[1:3, 2:5, 3:6] = 1
AFFINE = affine_of((1.0, 2.0, 3.0), (-4.0, 5.0, 6.0))
TURNED = AFFINE.copy()
TURNED[:3, :3] = turn_of((20.0, -30.0, 40.0)) @ np.diag([-1.0, 2.0, 3.0])
MASS = AFFINE[:3, :3] @ [1.5, 3.0, 4.0] + AFFINE[:3, 3]


def nii(values: np.ndarray = SOLID, affine: np.ndarray = AFFINE, *, packed: bool = False, units: str = "mm") -> bytes:
    image = nibabel.Nifti1Image(values, affine)
    image.header.set_xyzt_units(units)
    return gzip.compress(image.to_bytes(), 1) if packed else image.to_bytes()


def with_affine(affine: np.ndarray) -> bytes:
    """nibabel refuses to write some of them, so the rows go straight into the header."""
    raw = bytearray(nii())
    raw[280:328] = affine[:3].astype("<f4").tobytes()
    return bytes(raw)


def with_sizes(*sizes: int) -> bytes:
    raw = bytearray(nii())
    raw[40:56] = np.array([len(sizes), *sizes, *[1] * (7 - len(sizes))], "<i2").tobytes()
    return bytes(raw)


def raw_nrrd(values: np.ndarray = SOLID, body: bytes | None = None, **fields: str) -> bytes:
    told = {
        "type": "uchar",
        "dimension": str(values.ndim),
        "space": "right-anterior-superior",
        "sizes": " ".join(map(str, values.shape)),
        "space directions": "(1,0,0) (0,2,0) (0,0,3)",
        "endian": "little",
        "encoding": "raw",
        "space origin": "(-4,5,6)",
    }
    told |= {name.replace("_", " "): text for name, text in fields.items()}
    head = "\n".join(["NRRD0004", "# a comment", *(f"{k}: {v}" for k, v in told.items() if v), "encoding:=mine"])
    return head.encode() + b"\n\n" + (values.tobytes(order="F") if body is None else body)


GOOD: dict[str, Callable[[], bytes]] = {
    "nifti": nii,
    "nifti, packed": lambda: nii(packed=True),
    "nifti 2": lambda: nibabel.Nifti2Image(SOLID, AFFINE).to_bytes(),
    "nifti in metres": lambda: nii(affine=np.diag([1e-3, 1e-3, 1e-3, 1.0]) @ AFFINE, units="meter"),
    "nifti of floats": lambda: nii(SOLID.astype(np.float32)),
    "nifti with a fourth axis of one": lambda: nii(SOLID[..., None]),
    "nrrd": raw_nrrd,
    "nrrd of left, back, head": lambda: raw_nrrd(
        space="left-posterior-superior", space_directions="(-1,0,0) (0,-2,0) (0,0,3)", space_origin="(4,-5,6)"
    ),
    "nrrd, short names": lambda: raw_nrrd(
        space="LPS", space_directions="(-1,0,0) (0,-2,0) (0,0,3)", space_origin="(4,-5,6)"
    ),
    "nrrd with spacings": lambda: raw_nrrd(space_directions="", spacings="1 2 3"),
    "nrrd, gzip, 16 bit, big end first": lambda: raw_nrrd(
        body=gzip.compress(SOLID.astype(">i2").tobytes(order="F")), type="short", endian="big", encoding="gzip"
    ),
    "nrrd with other ends of lines": lambda: raw_nrrd().replace(b"\n\n", b"\r\n\r\n", 1),
    "ours, nifti": lambda: nifti(SOLID > 0, AFFINE),
    "ours, nrrd": lambda: nrrd(SOLID > 0, AFFINE),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_shape_lies_where_its_file_says(name: str, sandbox: Sandbox) -> None:
    found = opened(GOOD[name](), sandbox=sandbox).shape_of()
    np.testing.assert_array_equal(found.labels, SOLID > 0)
    np.testing.assert_allclose(found.spacing, (1.0, 2.0, 3.0), rtol=1e-5)
    np.testing.assert_allclose(found.mass(), MASS, rtol=1e-5)


@pytest.mark.parametrize("write", [nifti, nrrd])
def test_a_turned_and_mirrored_grid_goes_out_and_comes_back(write, sandbox: Sandbox) -> None:
    found = opened(write(SOLID * 5, TURNED), sandbox=sandbox)
    np.testing.assert_allclose(found.affine, TURNED, atol=1e-5)
    np.testing.assert_array_equal(found.values, SOLID * 5)
    assert found.labels == (5,)
    raw = write(SOLID, TURNED)
    start = raw.index(b"\x1f\x8b")
    assert raw[start + 4 : start + 8] == bytes(4), "the time of writing makes equal volumes unequal files"


def test_probabilities_go_out_as_they_are() -> None:
    probs = np.linspace(0, 1, SOLID.size).reshape(SOLID.shape)
    loaded: Any = nibabel.Nifti1Image.from_bytes(gzip.decompress(nifti(probs, TURNED)))
    np.testing.assert_allclose(loaded.get_fdata(), probs, atol=1e-6)
    np.testing.assert_allclose(loaded.affine, TURNED, atol=1e-5)
    assert loaded.header.get_xyzt_units()[0] == "mm"
    head, _, body = nrrd(probs, AFFINE).partition(b"\n\n")
    assert b"type: float" in head
    assert b"space directions: (1,0,0) (0,2,0) (0,0,3)" in head
    values = np.frombuffer(gzip.decompress(body), "<f4").reshape(SOLID.shape, order="F")
    np.testing.assert_allclose(values, probs, atol=1e-6)


def test_of_several_labels_one_is_chosen(sandbox: Sandbox) -> None:
    several = SOLID.astype(np.int16)
    several[4, 5, 6] = 21
    found = opened(nii(several), sandbox=sandbox)
    assert found.labels == (1, 21)
    assert found.shape_of(21).labels.sum() == 1
    with pytest.raises(UserFacingError, match=r"2 labels \(1, 21\); choose"):
        found.shape_of()
    with pytest.raises(UserFacingError, match="no label 7"):
        found.shape_of(7)


def test_a_full_volume_is_refused_when_it_is_used(sandbox: Sandbox) -> None:
    with pytest.raises(UserFacingError, match="surroundings"):
        opened(nii(np.ones_like(SOLID)), sandbox=sandbox).shape_of()


BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "no bytes": (lambda: b"", "empty"),
    "a text": (lambda: b"a label map, honestly " * 40, "no volume"),
    "a short text": (lambda: b"hi", "no volume"),
    "a packed text": (lambda: gzip.compress(b"nothing of that kind" * 40), "no volume"),
    "a wrong gzip": (lambda: b"\x1f\x8b" + b"x" * 400, "damaged"),
    "nothing drawn": (lambda: nii(np.zeros_like(SOLID)), "nothing is drawn"),
    "a picture": (lambda: nii(np.random.default_rng(0).random((5, 6, 7)).astype("f4")), "whole numbers"),
    "a whole-numbered picture": (lambda: nii(np.arange(210, dtype=np.int16).reshape(5, 6, 7)), "210 values"),
    "not a number": (lambda: nii(np.full(SOLID.shape, np.nan, np.float32)), "whole numbers"),
    "two axes": (lambda: nii(SOLID[0]), "2 axes"),
    "four axes": (lambda: nii(np.stack([SOLID, SOLID], axis=-1)), "4 axes"),
    "one slice": (lambda: nii(SOLID[:, :, 3:4]), "flat"),
    "huge by its header": (lambda: with_sizes(2000, 2000, 2000), "million"),
    "more than it holds": (lambda: with_sizes(50, 60, 70), "damaged"),
    "negative sizes": (lambda: with_sizes(-5, 6, 7), "flat"),
    "unpacks to too much": (lambda: gzip.compress(bytes(301 << 20), 1), "300 MB"),
    "cut short": (lambda: nii()[:400], "damaged"),
    "header and voxels apart": (lambda: nii()[:344] + b"ni1\0" + nii()[348:], "another file"),
    "affine of nothing": (lambda: with_affine(np.zeros((3, 4))), "affine is wrong"),
    "affine that is no number": (lambda: with_affine(np.full((3, 4), np.nan)), "affine is wrong"),
    "voxels of a metre": (lambda: with_affine(np.diag([1e3, 1e3, 1e3, 1.0])), "affine is wrong"),
    "sheared": (lambda: with_affine(AFFINE + np.eye(4, k=1)), "stand on each other"),
    "nrrd with voxels apart": (lambda: raw_nrrd(data_file="other.raw"), "another file"),
    "nrrd without voxels": (lambda: raw_nrrd().partition(b"\n\n")[0], "another file"),
    "nrrd packed otherwise": (lambda: raw_nrrd(encoding="bzip2"), "raw or gzip"),
    "nrrd of blocks": (lambda: raw_nrrd(type="block"), "raw or gzip"),
    "nrrd nowhere": (lambda: raw_nrrd(space="scanner-xyz"), "not one of a patient"),
    "nrrd cut short": (lambda: raw_nrrd()[:-5], "damaged"),
    "nrrd with four axes": (lambda: raw_nrrd(SOLID[None]), "4 axes"),
    "nrrd huge by its header": (lambda: raw_nrrd(sizes="4000 4000 4000"), "million"),
    "nrrd without sizes": (lambda: raw_nrrd(sizes=""), "damaged"),
    "nrrd with words for numbers": (lambda: raw_nrrd(space_origin="(a,b,c)"), "damaged"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_used_is_refused_in_a_sentence(name: str, sandbox: Sandbox, watched) -> None:
    make, words = BAD[name]
    raw = make()
    watched()
    with pytest.raises(UserFacingError) as refusal:
        opened(raw, sandbox=sandbox)
    told = str(refusal.value)
    assert words in told
    assert told.endswith(".")
    assert "/" not in told.replace(".nii", "")
    assert "Traceback" not in told


@dataclass
class Forged:
    header: dict
    blocks: tuple[bytes, ...]

    def call(self, *asked, **limits) -> Answer:
        return Answer(self.header, self.blocks)


def test_an_answer_that_does_not_add_up_is_not_believed() -> None:
    fine = {"shape": [2, 2, 2], "affine": np.eye(4).ravel().tolist(), "labels": [0, 1]}
    block = np.ones(8, np.int32).tobytes()
    assert opened(b"x", sandbox=Forged(fine, (block,))).labels == (1,)  # type: ignore[arg-type]
    forged = [({**fine, "shape": [2, 2, 3]}, (block,)), ({**fine, "affine": [1.0]}, (block,)), ({}, ()), (fine, ())]
    forged += [({**fine, "shape": [-2, -2, 2]}, (block,)), ({**fine, "labels": ["one"]}, (block,))]
    for header, blocks in forged:
        with pytest.raises(MediaError, match="add up"):
            opened(b"x", sandbox=Forged(header, blocks))  # type: ignore[arg-type]


def test_a_file_beyond_the_limit_is_not_even_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.shapes.label_maps.MAX_BYTES", 1 << 20)
    with pytest.raises(MediaError, match="limit is 1 MB"):
        opened(io.BytesIO(bytes(2 << 20)).getvalue())
