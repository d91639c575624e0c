"""Labels and votes made to harm: rows T-06, T-07, T-13 and T-15 of the table of hazards. Each test id names its row."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from core.data._labels import labels_of
from core.data._table import read_table
from core.errors import TableError
from tests.hostile.tabling import HERE, parquet_of, refused, table_of

BAD_LABELS = {
    "T-07 -1": ("target", ["0", "1", "-1"], "'-1'"),
    "T-07 1e9": ("target", ["0", "1", "1e9"], "'1e9'"),
    "T-07 1000000000": ("target", ["0", "1", "1000000000"], "'1000000000'"),
    "T-07 beyond every class": ("target", ["0", "1", "10000"], "'10000'"),
    "T-07 2.5": ("label", ["0", "1", "2.5"], "'2.5'"),
    "T-07 2.5 among names": ("label", ["dog", "cat", "2.5"], "'2.5'"),
    "T-07 NaN": ("label", ["dog", "cat", "NaN"], "'NaN'"),
    "T-07 empty": ("label", ["dog", "cat", ""], "every row needs a label"),
    "T-07 blank": ("label", ["dog", "cat", "  "], "every row needs a label"),
    "T-15 1e999": ("target", ["0", "1", "1e999"], "'1e999'"),
    "T-15 full width": ("target", ["0", "1", "１２"], "'１２'"),
    "T-15 underscore": ("target", ["0", "1", "1_0"], "'1_0'"),
    "T-15 inf among names": ("label", ["dog", "cat", "inf"], "'inf'"),
}


@pytest.mark.parametrize(("column", "cells", "told"), BAD_LABELS.values(), ids=BAD_LABELS.keys())
def test_a_label_that_is_no_class_is_refused_with_its_row(
    tmp_path: Path, column: str, cells: Sequence[str], told: str
) -> None:
    rows = "".join(f"{n}.wav,{cell}\n" for n, cell in enumerate(cells))
    error = refused(tmp_path, f"file,{column}\n{rows}x.wav,{cells[-1]}\n")
    assert error.code == "label"
    assert "Row 4 " in str(error)
    assert told in str(error)
    assert "(and 1 more row)" in str(error)


@pytest.mark.parametrize(
    ("header", "rows", "told"),
    [
        ("category,target", ["dog,0", "cat,1", "dog,1"], "'dog' with number 1"),
        ("category,target", ["dog,0", "cat,1", "bird,0"], "'bird' with number 0"),
        ("label,p_dog,p_cat", ["dog,1,0", "cat,0,1", "bird,0,1"], "the classes are dog, cat"),
        ("target,p_dog,p_cat", ["0,1,0", "1,0,1", "2,0,1"], "from 0 to 1"),
    ],
    ids=["T-07 name with two numbers", "T-07 number with two names", "T-07 not in the list", "T-07 id beyond the list"],
)
def test_labels_that_contradict_the_classes_are_refused(
    tmp_path: Path, header: str, rows: Sequence[str], told: str
) -> None:
    error = refused(tmp_path, f"file,{header}\n" + "".join(f"{n}.wav,{row}\n" for n, row in enumerate(rows)))
    assert "Row 4 " in str(error)
    assert told in str(error)


BAD_VOTES = {
    "T-13 negative": ("0.5,-0.5", "negative"),
    "T-13 not one": ("0.5,0.6", "does not sum to one"),
    "T-13 all zero": ("0,0", "no vote"),
    "T-13 NaN": ("nan,1", "finite"),
    "T-15 1e999": ("1e999,0", "finite"),
    "T-15 full width": ("１,0", "finite"),
    "T-13 empty": (",1", "finite"),
}


@pytest.mark.parametrize(("cells", "told"), BAD_VOTES.values(), ids=BAD_VOTES.keys())
def test_probabilities_that_are_none_are_refused_with_their_row(tmp_path: Path, cells: str, told: str) -> None:
    error = refused(tmp_path, f"file,p_dog,p_cat\na,0.25,0.75\nb,{cells}\n")
    assert "Row 3 " in str(error)
    assert told in str(error)


@pytest.mark.parametrize("row", ["T-06"])
def test_decimal_commas_are_read_where_the_comma_separates_nothing(tmp_path: Path, row: str) -> None:
    labels = labels_of(table_of(tmp_path, "file;p_dog;p_cat\na;0,25;0,75\n"))
    assert [truth.probs for truth in labels.truths if truth] == [(0.75, 0.25)]
    assert labels.classes == ("cat", "dog")


@pytest.mark.parametrize(
    ("votes", "told"),
    [([[1, 2], [0, 0]], "no vote"), ([[1, 2], [3, -1]], "negative"), ([[1, 2], [3]], "holds 1 numbers"),
     ([[1.5, 2.0], [float("nan"), 1]], "not finite"), ([[1, 2], None], "holds 0 numbers")],
    ids=["T-13 all zero", "T-13 negative", "T-13 ragged", "T-13 NaN", "T-13 missing"],
)  # fmt: skip
def test_votes_that_are_none_are_refused_with_their_row(tmp_path: Path, votes: object, told: str) -> None:
    path = parquet_of(tmp_path, {"file": ["a", "b"], "human_counts": votes})
    with pytest.raises(TableError, match=told) as caught:
        labels_of(read_table(path, sandbox=HERE))
    assert "Row 2" in str(caught.value)
