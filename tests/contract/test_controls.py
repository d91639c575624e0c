"""Side bar, model list, operating point and the words of jobs, without a browser."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core import registry
from core.device import Device
from core.errors import UserFacingError
from core.jobs import JobStatus
from core.store import About, open_collection
from core.ui import jobs, models
from tests.patience import SECONDS

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = """
import streamlit as st
from core.ui import controls
chosen = controls.choice()
st.text(f"{chosen.model} {chosen.draws} {chosen.seed} {chosen.device} {chosen.data}")
st.text(f"{controls.point()} {controls.measure()}")
st.button("half", on_click=controls.set_point, args=(0.5,))
st.button("novelty", on_click=controls.set_measure, args=("novelty",))
st.button("none of them", on_click=controls.set_measure, args=("taste",))
if st.button("switch"):
    controls.switch_model("toybox-mc-dropout", "The file is a picture.")
"""


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    from core.ui import cached

    monkeypatch.setenv("PENUMBRA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PENUMBRA_OFFLINE", "1")
    cached.settings.clear()
    yield tmp_path / "home"
    cached.settings.clear()


def opened(**parameters: str) -> AppTest:
    app = AppTest.from_string(PAGE, default_timeout=SECONDS)
    for name, value in parameters.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception, app.exception
    return app


def told(app: AppTest) -> list[str]:
    return [line.value for line in app.text]


def press(app: AppTest, label: str) -> None:
    next(button for button in app.button if button.label == label).click().run()
    assert not app.exception, app.exception


def test_what_equals_its_default_is_not_in_the_url() -> None:
    app = opened()
    assert told(app) == ["soundbox-mc-dropout 50 0 auto heldout", "0.8 total"]
    assert app.query_params == {}
    press(app, "half")
    press(app, "novelty")
    assert told(app)[1] == "0.5 novelty"
    assert app.query_params == {"keep": "0.5", "measure": "novelty"}
    press(app, "none of them")
    assert told(app)[1] == "0.5 novelty"


def test_a_value_that_the_url_lost_is_written_into_it_again() -> None:
    """As after a change of page."""
    app = opened(samples="77", keep="0.25")
    app.query_params.clear()
    app.run()
    assert told(app) == ["soundbox-mc-dropout 77 0 auto heldout", "0.25 total"]
    assert app.query_params == {"samples": "77", "keep": "0.25"}


def test_news_in_the_url_win_over_the_session() -> None:
    app = opened(samples="77")
    app.query_params["samples"] = "5"
    app.run()
    assert told(app)[0] == "soundbox-mc-dropout 5 0 auto heldout"
    assert app.number_input[0].value == 5


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("samples", "0"),
        ("samples", "501"),
        ("samples", "5e1"),
        ("samples", "\u0665"),
        ("seed", "-1"),
        ("seed", "9" * 400),
        ("keep", "1.01"),
        ("keep", "inf"),
        ("keep", "nan"),
        ("keep", "eighty"),
        ("device", "cuda:x"),
        ("device", "cpu; rm"),
        ("data", "../secret"),
        ("data", "no-such"),
        ("measure", "mean"),
        ("model", "x" * 5000),
        ("model", ""),
    ],
)
def test_a_bad_value_is_told_once_and_costs_nothing_else(name: str, value: str) -> None:
    app = opened(**{name: value})
    assert told(app) == ["soundbox-mc-dropout 50 0 auto heldout", "0.8 total"]
    assert len(app.warning) == 1
    assert f"asks for {name} “" in app.warning[0].value
    assert len(app.warning[0].value) < 200
    assert app.query_params == {}
    app.number_input[1].set_value(3).run()
    assert told(app)[0] == "soundbox-mc-dropout 50 3 auto heldout"


def test_a_switch_is_said_until_the_visitor_chooses() -> None:
    app = opened()
    press(app, "switch")
    assert told(app)[0].startswith("toybox-mc-dropout")
    assert "Switched to Toybox, MC dropout, a model for pictures. The file is a picture." in app.info[0].value
    box = next(one for one in app.selectbox if one.label == "Model")
    box.set_value("toybox-ensemble").run()
    assert not app.info


def test_data_offers_the_collections_of_the_models_kind(own_home: Path) -> None:
    for about in (About(kind="audio", title="barks"), About(kind="image", title="boats")):
        open_collection(own_home / "collections", about.title, create=about, write=True).close()
    box = next(one for one in opened().selectbox if one.label == "Data")
    assert box.options == ["Held-out items of the model", "barks, 0 items"]
    app = opened(data="boats", model="toybox-laplace")
    assert told(app)[0] == "toybox-laplace 50 0 auto boats"


def test_the_model_list_says_what_the_cards_and_the_methods_say() -> None:
    known = {one.name: one for one in models.model_list()}
    cards = {path.parent.name: json.loads(path.read_text()) for path in ROOT.glob("checkpoints/*/card.json")}
    assert set(known) == set(cards)
    methods = registry.discover("core.methods", "METHOD")
    for name, card in cards.items():
        assert known[name].method_title == methods[card["method"]].title
        assert known[name].classes == tuple(card["classes"])
        assert known[name].metric("accuracy") == card["metrics"]["accuracy"]["value"]
    assert len({one.title for one in known.values()}) == len(known)


def test_one_begins_with_a_model_that_needs_nothing_else() -> None:
    """Among the models of one set: what is lost on other data compares with nothing."""
    for kind, data in (("audio", "soundbox"), ("image", "toybox")):
        first = models.default(kind)
        assert first is not None
        assert (first.ready, first.fetched, first.kind, first.data) == (True, False, kind, data)
        others = [one for one in models.model_list() if one.data == data and one.ready and not (one.fetched or one.own)]
        assert first.metric("nll") == min(one.metric("nll") or 9.0 for one in others)
    with pytest.raises(UserFacingError, match="choose one in the side bar"):
        models.facts("nobody")


def test_a_model_that_lacks_its_weights_is_listed_with_the_reason() -> None:
    app = opened(model="esc10-mc-dropout")
    assert any("not ready" in option for one in app.selectbox if one.label == "Model" for option in one.options)
    assert any("python -m core weights fetch sfx" in one.value.replace("\\", "") for one in app.warning)


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (JobStatus("queued", ahead=2), "waits its turn, 2 before it"),
        (JobStatus("queued"), "waits its turn"),
        (JobStatus("running"), "begins"),
        (JobStatus("running", stage="embed", done=120, total=4000, rate=12.0, seconds_left=23.0),
         "embed 120 of 4\u2009000, 12 a second, 23 s left"),
        (JobStatus("running", stage="fit", done=1, total=9, rate=0.1, seconds_left=80.0),
         "fit 1 of 9, 10 s each, 1 min 20 s left"),
        (JobStatus("done", began=10.0, ended=75.0), "done in 1 min 5 s"),
        (JobStatus("refused", message="There is no folder."), "There is no folder\\."),
        (JobStatus("failed"), "failed"),
    ],
)  # fmt: skip
def test_a_job_is_told_in_words(now: JobStatus, words: str) -> None:
    assert jobs.told(now) == words


def test_the_side_bar_needs_neither_torch_nor_tables() -> None:
    code = (
        "import sys; from streamlit.testing.v1 import AppTest\n"
        f"app = AppTest.from_string({PAGE!r}, default_timeout={SECONDS}); app.run()\n"
        "assert not app.exception, app.exception\n"
        "print(sorted({'torch', 'pandas', 'lancedb', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=SECONDS)
    assert done.stdout.strip().splitlines()[-1] == "[]", done.stderr[-2000:]


def test_several_gpus_are_listed_and_one_that_is_not_here_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from core.runner import Runner

    here = (Device("cuda:0", "A card"), Device("cuda:1", "Another card"), Device("cpu", "CPU, 2 threads"))
    monkeypatch.setattr(Runner, "seen", lambda self: here)
    app = opened(device="cuda:1")
    assert told(app)[0] == "soundbox-mc-dropout 50 0 cuda:1 heldout"
    box = next(one for one in app.selectbox if one.label == "Device")
    assert box.options == [
        "The fastest here",
        "A card (cuda:0)",
        "Another card (cuda:1)",
        "CPU, 2 threads (cpu)",
    ]
    assert "asks for device “cuda\\:2”" in opened(device="cuda:2").warning[0].value


def test_waiting_jobs_are_woken_once_for_each_server(monkeypatch: pytest.MonkeyPatch) -> None:
    from core import jobs as real
    from core.ui import _cached_shell, running

    woken: list[object] = []
    monkeypatch.setattr(real, "wake", woken.append)
    for _ in range(3):
        running.wake()
    assert len(woken) == 1
    _cached_shell.wake.clear()  # type: ignore[attr-defined]
    running.wake()
    assert len(woken) == 2
