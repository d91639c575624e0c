"""Stanford Online Products: 120,053 pictures of 22,634 things for sale (Oh Song et al. 2016).

The published split is zero-shot: no product is on both sides. ``fold`` says the same, 1 for training and 2 for
testing, as it does for the other sets of metric learning here.
"""

from __future__ import annotations

from pathlib import Path

from core.contracts import Dataset, DatasetSpec, Item, Progress, Split
from core.data._copies import Copy, copy_of, counted, first_missing, plain, reader, whole
from core.data._fetch import Remote, announce
from core.data._lines import lines_of
from core.settings import Settings

_TITLE = "Stanford Online Products"
_HEADER = "image_id class_id super_class_id path"
_FILES: tuple[tuple[Split, str, int], ...] = (("train", "Ebay_train.txt", 59_551), ("test", "Ebay_test.txt", 60_502))
_MOST = range(1, 1_000_000)
_REMOTE = Remote(
    key="sop",
    title=_TITLE,
    url="http://ftp.cs.stanford.edu/cs/cvgl/Stanford_Online_Products.zip",
    file="Stanford_Online_Products.zip",
    size=3_100_000_000,
    checksum="md5:7f73d41a2f44250d4779881525aea32e",
    marks=("Ebay_train.txt",),
    layout=r"Stanford_Online_Products/(Ebay_(?:train|test)\.txt|[a-z_]+_final/[0-9]+_[0-9]+\.JPG)",
)


def _open(location: Path | None, settings: Settings, progress: Progress = announce) -> Dataset:
    copy = copy_of(_REMOTE, location, settings, progress=progress)
    rows: list[tuple[Split, int, str]] = [
        (split, product, path) for split, name, _ in _FILES for product, path in _rows_of(copy, name)
    ]
    sides: dict[int, Split] = {}
    kinds: dict[int, str] = {}
    for split, product, path in rows:
        if sides.setdefault(product, split) != split:
            raise copy.wrong(f"product {product} is in Ebay_train.txt and in Ebay_test.txt")
        if kinds.setdefault(product, _kind(path)) != _kind(path):
            raise copy.wrong(f"product {product} is a {kinds[product]} and a {_kind(path)}")
    order = {product: at for at, product in enumerate(sorted(kinds))}
    items = tuple(
        Item(path, order[product], 1 if split == "train" else 2, split=split, extra=(("superclass", _kind(path)),))
        for split, product, path in rows
    )
    paths = {item.id: copy.root / item.id for item in items}
    if len(paths) != len(items):
        raise copy.wrong("a picture is listed twice")
    first_missing(copy, paths)
    classes = tuple(f"{kinds[product]} {product:05d}" for product in order)
    counts = [note for split, _, count in _FILES for note in counted(_on(items, split), count, f"{split} pictures")]
    notes = (*copy.notes, "folds are the published halves of the products: 1 train, 2 test", *counts)
    return Dataset(DATASET.key, _TITLE, "image", classes, items, reader(_TITLE, paths), DATASET.licence, notes)


def _rows_of(copy: Copy, name: str) -> list[tuple[int, str]]:
    """Product and path of each line."""
    rows = []
    for where, (_, product, _, path) in lines_of(copy, name, 4, header=_HEADER):
        number = whole(product, _MOST)
        if number is None:
            raise copy.wrong(f"{where}: class_id {product[:20]!r} is no number from 1")
        if not plain(path):
            raise copy.wrong(f"{where}: {path[:80]!r} is no plain file name")
        rows.append((number, path))
    if not rows:
        raise copy.wrong(f"{name} lists no picture")
    return rows


def _kind(path: str) -> str:
    """The folder's name as people say it: ``coffee_maker_final`` holds coffee makers."""
    return path.partition("/")[0].removesuffix("_final").replace("_", " ")


def _on(items: tuple[Item, ...], split: Split) -> int:
    return sum(item.split == split for item in items)


DATASET = DatasetSpec(
    key="sop",
    title=_TITLE,
    kind="image",
    summary="Things for sale: 120,053 pictures of 22,634 products, published zero-shot split by product.",
    licence="its publisher states none and asks to be cited, H. Oh Song et al. (2016); pictures by eBay sellers",
    open=_open,
)
