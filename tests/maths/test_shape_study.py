"""A study of shapes: what each part is made of, what stays and what adapts, what it costs, and that it goes on."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from core.cli import main
from core.configs import text_of
from core.errors import UserFacingError
from core.fingerprint import fingerprint, numpy_generator, torch_generator
from core.methods import deterministic
from core.methods._contract import FitContext
from core.pipeline.reconstruct import TITLES, card_of, find, place_of
from core.settings import Settings
from core.shapes.fields import Field, Part, ask, distance_of
from core.shapes.kept import load
from core.shapes.networks import build
from core.shapes.observe import Scan
from core.training import _shape_results, shapes
from core.training._shape_cases import PARTS, Case, _partly, cases
from core.training._shape_results import FIGURES, Row, Study, judged

WORDS = {
    "shapes": 24,
    "epochs": 8,
    "later_epochs": 30,
    "given": 3,
    "validation": 2,
    "test": 3,
    "again": 2,
    "members": 2,
    "draws": 3,
    "strengths": (10.0,),
    "step": 0.5,
    "channels": 4,
    "width": 16,
    "blocks": 2,
    "places": 64,
}
TINY = shapes.digits(**WORDS)
SPINE = shapes.Config(
    shapes=1, given=1, shape=(12, 12, 8), places=300, scan=Scan(slice_mm=6.0, pixel_mm=3.0, missing=0.4, inside=1)
)


@pytest.fixture(autouse=True)
def few_resamples(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Intervals are judged in a test of their own."""
    if "intervals" not in request.node.name:
        monkeypatch.setattr(_shape_results, "_RESAMPLES", 20)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("study")


@pytest.fixture(scope="module")
def study(home: Path) -> Study:
    settings = Settings(home=home)
    told = []

    def progress(done: int, total: int, stage: str) -> None:
        told.append((done, total))

    found = shapes.run(
        TINY, settings, _folder(home), progress=progress, keep=place_of("digits", settings), command="again"
    )
    assert told[-1] == (len(told), len(told)), "what is done is told to its end"
    return found


def _folder(home: Path) -> Path:
    return Settings(home=home).runs / "shapes" / fingerprint(TINY.learned())[:16]


def taken(part: str, config: shapes.Config = TINY) -> list[Case]:
    return list(cases(config, part, Settings()))


def test_no_shape_is_in_two_parts() -> None:
    truths = [case.truth.pixels.tobytes() for part in PARTS for case in taken(part)]  # type: ignore[attr-defined]
    assert len(truths) == len(set(truths)) == sum(map(TINY.count, PARTS))
    again = [case.truth.pixels.tobytes() for case in taken("b")]  # type: ignore[attr-defined]
    assert again == truths[24:27]


def test_a_is_asked_everywhere_for_the_truth() -> None:
    for case in [*taken("a")[:3], *taken("a", SPINE)]:
        millimetres = case.box.from_unit(case.places)
        np.testing.assert_array_equal(case.targets, case.truth.level(millimetres) < 0)
        assert case.seen.seen.all()
        near = np.abs(case.seen.distance_at(millimetres)) < (1.0 if case.places.shape[1] == 2 else 6.0)
        assert near.mean() >= 0.49
        assert len(np.unique(case.places, axis=0)) == len(case.places)


def test_b_is_asked_only_where_something_was_seen_and_for_what_was_seen() -> None:
    for case in [*taken("b"), *taken("b", SPINE)]:
        back = np.linalg.inv(case.seen.affine)
        millimetres = case.box.from_unit(case.places)
        indices = tuple(np.rint(millimetres @ back[:-1, :-1].T + back[:-1, -1]).astype(int).T)
        assert case.seen.seen[indices].all()
        assert not case.seen.seen.all()
        np.testing.assert_array_equal(case.targets, case.seen.labels[indices])
        assert len(np.unique(case.places, axis=0)) == len(case.places)


def test_the_encoder_is_shown_less_of_b_than_its_decoder_is_asked_for() -> None:
    for config in (TINY, SPINE):
        for part, less in (("a", False), ("b", True), ("validation", True), ("test", False)):
            case = next(cases(config, part, Settings()))
            assert np.allclose(case.grid, case.seen.on(case.box, config.shape)) != less
        case = next(cases(replace(config, hidden=0.0), "b", Settings()))
        np.testing.assert_allclose(case.grid, case.seen.on(case.box, config.shape))
    seen = taken("b", SPINE)[0].seen
    shown = _partly(seen, 0.5, numpy_generator("partly"))
    gone = seen.seen & ~shown.seen
    assert 0.2 < gone.sum() / seen.seen.sum() < 0.8
    np.testing.assert_array_equal(gone.any(axis=(1, 2)), gone.all(axis=(1, 2)))  # whole slices
    assert not shown.labels[~shown.seen].any()


def test_distances_are_asked_where_they_are_wanted() -> None:
    for part in ("a", "b"):
        case = taken(part, replace(SPINE, target="distance", tau=3.0))[0]
        millimetres = case.box.from_unit(case.places)
        np.testing.assert_allclose(distance_of(case.targets, 3.0), case.seen.distance_at(millimetres), atol=0.01)


def test_every_method_answers_for_the_same_shapes(study: Study) -> None:
    keys = ["seen", "before", "single", "mc_dropout", "dropsembles 0", "dropsembles 10", "dropsembles", "ensemble"]
    assert [row.key for row in study.rows] == keys
    for row in study.rows:
        assert all(len(row.figures[name]) == 3 for name in FIGURES)
    assert study.row("before").figures["nll"] != study.row("single").figures["nll"]
    assert study.row("single").figures["nll"] != study.row("mc_dropout").figures["nll"]
    assert study.row("dropsembles 0").figures["nll"] != study.row("dropsembles 10").figures["nll"]


def test_the_anchor_is_as_strong_as_suits_what_further_shapes_show(study: Study) -> None:
    tried = [row for row in study.rows if row.strength is not None and row.key != "dropsembles"]
    best = min(tried, key=lambda row: row.validation_nll or math.inf)
    assert replace(best, key="dropsembles", title="Dropsembles, chosen") == study.row("dropsembles")


def test_fields_that_are_kept_answer_as_those_that_were_judged(study: Study, home: Path) -> None:
    """But for the digits that float16 has not; and the card says which row each of them is."""
    made, (case, *_) = shapes._Run(TINY, Settings(home=home), _folder(home), "cpu", lambda *_: None), taken("test")
    made.study()  # its fits and figures are found
    kept = load(find("digits", Settings(home=home)))
    card = card_of("digits", Settings(home=home))
    assert list(kept.fields) == list(card["rows"]) == list(TITLES)
    assert card["command"] == "again"
    for name, key in card["rows"].items():
        nodes = case.box.to_unit(case.box.nodes((9, 9)))
        ours, theirs = (ask(field, case.grid, nodes, key=3) for field in (kept.fields[name], made.fields[key]))
        np.testing.assert_allclose(ours, theirs, atol=0.01)
        assert study.row(key).title
    assert len({id(part.network) for field in kept.fields.values() for part in field.parts}) == TINY.members


def test_costs_are_counted_by_networks_and_decoders(study: Study) -> None:
    network = build(TINY.network, "cost")
    whole, head = (sum(p.numel() for p in part.parameters()) for part in (network, network.head))
    costs = {row.key: row.cost for row in study.rows if row.cost is not None}
    assert costs["single"].params == costs["mc_dropout"].params == whole
    assert costs["dropsembles"].params == whole + head
    assert costs["ensemble"].params == 2 * whole
    assert costs["ensemble"].macs == 2 * costs["single"].macs
    places = 15 * 15
    linear = [layer for layer in network.head.modules() if isinstance(layer, torch.nn.Linear)]
    each = sum(layer.in_features * layer.out_features for layer in linear)
    assert costs["mc_dropout"].macs - costs["single"].macs == 2 * places * each
    assert costs["dropsembles"].macs - costs["single"].macs == places * each
    assert costs["ensemble"].first_seconds > costs["single"].first_seconds == costs["dropsembles"].first_seconds


def test_a_study_that_is_asked_for_again_by_command_takes_up_its_fits(
    study: Study, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same words give the same figures, seconds too, and nothing is fitted or compared anew."""
    monkeypatch.setenv("PENUMBRA_HOME", str(home))
    monkeypatch.setattr(shapes._Run, "_compared", None)
    logs = {path: path.read_bytes() for path in home.rglob("metrics.jsonl")}
    assert len(logs) == 6
    words = [part for name, value in WORDS.items() for part in ("--set", f"{name}={text_of(value)}")]
    assert main(["shapes", "digits", *words, "--device", "cpu", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert {path: path.read_bytes() for path in home.rglob("metrics.jsonl")} == logs
    assert document == json.loads(json.dumps(shapes.report(study)))
    assert json.loads(next(home.rglob("study-*.json")).read_bytes()) == document
    assert main(["shapes", "spoons"]) == 2
    assert "vertebrae, digits, mnist" in capsys.readouterr().err


def test_the_encoder_stays_and_the_decoder_adapts() -> None:
    made = shapes._Run(TINY, Settings(), None, "cpu", lambda *_: None)
    network = build(TINY.network, "stays")
    before = {name: value.clone() for name, value in network.state_dict().items()}
    adapted = made._adapted(network, 0).state.model
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert any(not torch.equal(value, before[f"head.{name}"]) for name, value in adapted.state_dict().items())


def test_a_network_of_space_learns_the_vertebra_that_it_sees() -> None:
    config = replace(SPINE, epochs=50, channels=8, places=1500, step=6.0, validation=1, test=1, again=1)
    made = shapes._Run(config, Settings(), None, "cpu", lambda *_: None)
    (case,) = made.a
    learned = made._learned(0).state.model
    context = FitContext("multilabel", 1, 1, 0)
    state = deterministic.State(deterministic.Config(), context, learned.head)
    figures = made._judge(case, *made._answer(Field((Part(learned, deterministic.METHOD, state),)), case))
    assert figures["dice"] > 0.55  # type: ignore[operator]
    assert figures["hd95"] < 20.0  # type: ignore[operator]


def test_what_anchors_a_decoder_is_spread_over_all_places_of_a_shape() -> None:
    case = taken("a")[0]
    some = shapes._places(build(TINY.network, "some"), [case], 16)
    places = some.inputs.tensor[:, :2].numpy()  # type: ignore[attr-defined]
    assert len(some) == 16
    near = np.abs(case.seen.distance_at(case.box.from_unit(places))) < TINY.near
    assert 0.3 < near.mean() < 0.9  # of the first 16 all are
    row = next(number for number, place in enumerate(case.places) if np.allclose(place, places[3]))
    assert (int(some.keys[3]), float(some.labels[3])) == (case.key + row, case.targets[row])


def test_a_perfect_answer_has_perfect_figures_and_a_certain_mistake_is_found() -> None:
    truth = np.zeros((9, 9), bool)
    truth[3:6, 3:6] = True
    found = judged(truth.astype(float), np.zeros((9, 9)), truth, (1.0, 2.0), 2.0)
    assert (found["dice"], found["iou"], found["hausdorff"], found["ece"]) == (1.0, 1.0, 0.0, 0.0)
    assert found["error_auroc"] is None
    wrong = truth.copy()
    wrong[6, 4] = True
    worse = judged(wrong.astype(float), (wrong ^ truth).astype(float), truth, (1.0, 2.0), 2.0)
    assert (worse["hausdorff"], worse["error_auroc"]) == (1.0, 1.0)
    assert worse["band_ece"] > worse["ece"]  # type: ignore[operator]


def test_intervals_hold_the_mean_and_a_difference_is_taken_shape_by_shape() -> None:
    values = tuple(numpy_generator("rows").normal(size=30))
    rows = [
        Row(key, key, None, {name: tuple(v + shift for v in values) for name in FIGURES}, (), None, None)
        for key, shift in (("one", 0.0), ("two", 0.25))
    ]
    made = Study(TINY, tuple(rows))
    low, high = rows[0].interval("dice")
    assert low < np.mean(values) < high  # type: ignore[operator]
    assert high - low == pytest.approx(2 * 1.96 * np.std(values) / math.sqrt(30), rel=0.15)  # type: ignore[operator]
    assert made.difference("two", "one", "dice") == pytest.approx((0.25, 0.25, 0.25))


def test_what_is_told_names_every_method_and_fits_json(study: Study) -> None:
    told = shapes.lines(study)
    assert all(any(line.startswith(row.title) for line in told) for row in study.rows)
    document = json.loads(json.dumps(shapes.report(study), allow_nan=False))
    assert document["shapes"] == 3
    assert "dropsembles - ensemble" in document["differences"]


def test_one_mask_serves_all_places_of_a_shape_while_it_learns() -> None:
    from core.layers import NoiseContext, noise

    network = build(TINY.network, "mask")
    for block in network.head.blocks:  # type: ignore[union-attr]
        torch.nn.init.ones_(block.second.weight)
    place = torch.tensor([0.1, 0.2])
    packed = torch.cat([torch.rand(256, generator=torch_generator("grid")), place.repeat(5)])[None].repeat(2, 1)
    context = NoiseContext(1, torch.zeros(2, dtype=torch.int64), torch.tensor([7, 8]))
    with noise(context):
        logits = network(packed)
    assert torch.equal(logits[0], logits[0, :1].expand(5))
    assert not torch.allclose(logits[0], logits[1])


def test_studies_that_learn_the_same_share_their_fits() -> None:
    assert replace(TINY, step=0.25, draws=9, test=5, members=3, strengths=(1.0,)).learned() == TINY.learned()
    assert replace(TINY, rate=0.4).learned() != TINY.learned()


def test_impossible_studies_are_refused() -> None:
    with pytest.raises(UserFacingError, match="fit"):
        shapes.Config(shape=(8, 8))
    with pytest.raises(UserFacingError, match="halved"):
        shapes.digits(shape=(3, 8))
    with pytest.raises(UserFacingError, match="strengths"):
        shapes.digits(strengths=())
    with pytest.raises(UserFacingError, match="fewer"):
        taken("a", shapes.digits(shapes=5000))
