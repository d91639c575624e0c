"""Near duplicates against every pair looked at by hand."""

from __future__ import annotations

import numpy as np
import pytest

from core.maps import alike as module
from core.maps.alike import alike


def planted(seed: int, items: int = 90, dim: int = 24) -> np.ndarray:
    """Directions without likeness, and noisy copies of some of them."""
    draw = np.random.default_rng(seed)
    rows = draw.normal(size=(items, dim))
    copies = rows[draw.integers(0, items // 3, items // 3)] * draw.uniform(0.1, 9.0, (items // 3, 1))
    rows[-len(copies) :] = copies + draw.normal(size=copies.shape) * np.linalg.norm(copies, axis=1)[:, None] * 0.01
    return rows[draw.permutation(items)].astype(np.float32)


def by_hand(rows: np.ndarray, least: float) -> tuple[list[int], list[int]]:
    """Groups by their smallest member, and the partner of each; -1 where there is none."""
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    root = list(range(len(rows)))
    partner = [-1] * len(rows)
    best = [-2.0] * len(rows)
    for i in range(len(rows)):
        for j in range(len(rows)):
            cosine = float(unit[i] @ unit[j])
            if i != j and cosine >= least:
                if cosine > best[i] + 1e-6:
                    best[i], partner[i] = cosine, j
                low, high = sorted((root[i], root[j]))
                root = [low if one == high else one for one in root]
    return [root[i] if partner[i] >= 0 else -1 for i in range(len(rows))], partner


@pytest.mark.parametrize("block", [1 << 22, 700])
@pytest.mark.parametrize("least", [0.6, 0.99])
def test_groups_and_partners_are_those_of_every_pair(block: int, least: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BLOCK", block)
    rows = planted(3)
    found = alike(rows, least)
    root, partner = by_hand(rows, least)
    assert found.partner.tolist() == partner
    numbers = {one: number for number, one in enumerate(sorted(set(root) - {-1}))}
    assert found.group.tolist() == [numbers.get(one, -1) for one in root]
    assert 1 < len(numbers) < 40
    there = found.partner >= 0
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    assert np.allclose(found.cosine[there], (unit[there] * unit[found.partner[there]]).sum(axis=1), atol=1e-5)
    assert np.isnan(found.cosine[~there]).all()


def test_a_thousand_equal_items_are_one_group_and_no_million_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BLOCK", 1 << 14)
    most = []
    joined = module._joined
    monkeypatch.setattr(module, "_joined", lambda *given: most.append(len(given[1])) or joined(*given))
    found = alike(np.ones((1000, 8), np.float32), 0.99)
    assert set(found.group.tolist()) == {0}
    assert (found.partner >= 0).all()
    assert max(most) <= 1 << 14


def test_a_row_of_zeros_is_like_nothing_and_nothing_is_like_itself() -> None:
    rows = np.array([[0, 0], [0, 0], [1, 0], [0, 1]], np.float32)
    assert alike(rows, 0.9).group.tolist() == [-1, -1, -1, -1]
    assert alike(rows[:1], 0.9).group.tolist() == [-1]
    assert alike(rows[:0], 0.9).group.shape == (0,)


@pytest.mark.parametrize("least", [0.8, 0.995])
def test_few_directions_rule_out_no_pair_that_is_alike(least: float) -> None:
    """Of wide features, in clusters as networks make them, only some are looked at whole: the same as of all."""
    draw = np.random.default_rng(7)
    rows = draw.normal(size=(6, 120))[draw.integers(0, 6, 700)] + 0.4 * draw.normal(size=(700, 120))
    rows[350:] = rows[:350] + draw.normal(size=(350, 120)) * draw.uniform(0, 0.2, (350, 1))
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -1)
    found = alike(rows.astype(np.float32), least)
    there = cosines.max(axis=1) >= least
    assert 40 < there.sum() <= 700
    assert np.array_equal(found.partner >= 0, there)
    assert np.array_equal(found.partner[there], cosines.argmax(axis=1)[there])


def test_it_tells_how_far_it_is() -> None:
    told: list[tuple[int, int | None, str]] = []
    alike(planted(2), 0.99, lambda done, total, stage: told.append((done, total, stage)))
    assert told[-1] == (90, 90, "compare")
