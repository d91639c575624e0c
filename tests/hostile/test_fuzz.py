"""The small version of the fuzz run: 300 mutated files, each answered, and the door still works after them."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np

from core.media.sandbox import Sandbox
from tests.hostile import fuzz
from tests.hostile.conftest import assert_alive


def test_300_mutated_files_are_accepted_or_refused_in_one_sentence(sandbox: Sandbox) -> None:
    report = fuzz.run(300, 0, sandbox)
    assert sum(json.loads(json.dumps(asdict(report)))["refused"].values()) == sum(report.refused.values())
    assert report.faults == []
    assert report.hung == []
    assert report.accepted + sum(report.refused.values()) + len(report.crashed) == 300
    assert report.accepted > 20, "mutations that nothing survives test only the first check"
    assert sum(report.refused.values()) > 100
    assert_alive(sandbox)


def test_unmutated_seeds_are_all_accepted(sandbox: Sandbox) -> None:
    """Else the fuzz run would start from rubble."""
    assert {name: fuzz._outcome(raw, sandbox) for name, raw in fuzz.seeds().items()} == dict.fromkeys(
        fuzz.seeds(), "accepted"
    )


def test_a_mutation_can_be_made_again() -> None:
    raw, other = bytes(range(200)), bytes(100)
    first = fuzz.mutated(raw, other, np.random.default_rng([0, 7]))
    assert first == fuzz.mutated(raw, other, np.random.default_rng([0, 7]))
    assert first != raw
