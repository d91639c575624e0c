"""Every page from a cold start, and Inspect with every kind of file, through Streamlit's own test runner."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image
from streamlit.testing.v1 import AppTest

from core.runner import Answer, Request
from core.ui import _cached_inspect, inspect_card, models, running
from core.ui.shell import PageFile, page_files
from tests.patience import SECONDS
from tests.visits import at_home, opened

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(autouse=True, scope="module")
def own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One home for the file: each home has a runner with a worker process of its own."""
    with at_home(tmp_path_factory.mktemp("home")):
        yield


def wav(seconds: float = 0.5, rate: int = 16000, channels: int = 1, level: float = 0.3) -> bytes:
    time = np.arange(int(seconds * rate)) / rate
    tone = level * np.sin(2 * np.pi * 440 * time)
    target = io.BytesIO()
    soundfile.write(target, np.repeat(tone[:, None], channels, axis=1), rate, format="WAV")
    return target.getvalue()


def png() -> bytes:
    target = io.BytesIO()
    Image.fromarray(np.full((40, 60, 3), 200, np.uint8)).save(target, "PNG")
    return target.getvalue()


def everything_said(app: AppTest) -> str:
    kinds = (app.markdown, app.caption, app.subheader, app.error, app.info, app.title)
    return "\n".join(str(element.value) for elements in kinds for element in elements)


def uploaded(*files: tuple[str, bytes, str]) -> AppTest:
    app = opened("1_Inspect")
    app.file_uploader[0].set_value(list(files)).run()
    assert not app.exception, app.exception
    return app


@pytest.mark.parametrize("file", page_files(), ids=lambda file: file.address)
def test_every_page_opens_from_cold_and_begins_with_its_answer(file: PageFile) -> None:
    app = opened(file.path.stem)
    assert len(app.title) == 1
    assert len(everything_said(app)) > 100


@pytest.mark.parametrize("file", page_files(), ids=lambda file: file.address)
def test_every_page_asks_for_its_frame_first(file: PageFile) -> None:
    body = [
        line
        for line in file.path.read_text().splitlines()
        if line and not line.startswith(("from", "import", '"', "ICON"))
    ]
    assert body[0] == "shell.frame()"


def test_home_shows_one_item_of_each_class() -> None:
    said = everything_said(opened("0_Home"))
    assert "In the box: Soundbox" in said
    assert "In the box: Toybox" in said


def test_a_sound_is_shown_with_its_receipt() -> None:
    said = everything_said(uploaded(("two.wav", wav(0.5, 22050, channels=2), "audio/wav")))
    assert "500 ms of sound at 22.05 kHz" in said
    assert "stereo" in said
    assert "2 channels to one" in said.split("What was done to it")[1]
    assert "half of the energy lies below" in said


def test_a_picture_is_shown_with_its_size() -> None:
    said = everything_said(uploaded(("grey.png", png(), "image/png")))
    assert "A picture of 60 × 40 pixels" in said
    assert "Every pixel is the same" in said


def test_the_answer_comes_first_with_the_numbers_behind_it() -> None:
    app = opened("1_Inspect", **{"from": "Samples", "sample": "Dog", "model": "soundbox-ensemble"})
    said = everything_said(app)
    assert ":green[:material/check_circle:] Dog, trust it\\." in said
    assert "held-out items; more novel than" in said
    assert "Dog leads with" in said
    assert "nats of at most ln 16 = 2.77" in said


def test_a_picture_switches_to_a_model_for_pictures_and_says_so() -> None:
    app = opened("1_Inspect", **{"from": "Samples", "sample": "Boat", "model": "soundbox-mc-dropout"})
    assert "toybox-mc-dropout" in app.query_params["model"]
    assert any("Boat is a picture" in told.value for told in app.info)
    assert "Boat leads with" in everything_said(app)


def test_a_whole_network_shows_its_first_draws_while_the_others_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    known, worker, look, looks = models.facts, running.runner(), inspect_card._first_look, []

    class Growing:
        def refine(self, request: Request, *, on_place: object = None) -> Iterator[Answer]:
            yield worker.ask(replace(request, draws=8))
            yield worker.ask(request)

    def first_look(top: Any, told: Any, wanted: int) -> None:
        looks.append((told.answer.draws, wanted))
        look(top, told, wanted)

    monkeypatch.setattr(_cached_inspect, "running", SimpleNamespace(runner=Growing))
    monkeypatch.setattr(inspect_card.models, "facts", lambda name: replace(known(name), scope="network"))
    monkeypatch.setattr(inspect_card, "_first_look", first_look)
    app = opened("1_Inspect", **{"from": "Samples", "sample": "Cow", "model": "soundbox-mc-dropout", "seed": "9"})
    assert looks == [(8, 50)]
    said = everything_said(app)
    assert "Of 50 draws" in said
    assert "A first look" not in said


def test_files_of_both_kinds_each_meet_a_model_of_their_own() -> None:
    app = uploaded(("hum.wav", wav(), "audio/wav"), ("grey.png", png(), "image/png"))
    said = everything_said(app)
    assert "ln 16" in said
    assert "ln 12" in said


def test_a_bad_file_is_one_sentence_and_costs_no_good_one() -> None:
    app = uploaded(("bad.wav", b"\x7fELF" + bytes(100), "audio/wav"), ("good.wav", wav(), "audio/wav"))
    assert len(app.error) == 1
    assert "Traceback" not in app.error[0].value
    assert "500 ms of sound" in everything_said(app)


def test_a_zip_becomes_its_files_and_names_what_it_refused() -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("a/tone.wav", wav())
        archive.writestr("b/grey.png", png())
        archive.writestr("../outside.wav", wav(0.3))
        archive.writestr("broken.wav", b"RIFF....")
    app = uploaded(("all.zip", target.getvalue(), "application/zip"))
    said = everything_said(app)
    assert "500 ms of sound" in said
    assert "60 × 40" in said
    assert len(app.error) == 2
    assert "outside" in said


def test_many_files_come_in_pages() -> None:
    files = [(f"{n}.wav", wav(0.1 + n / 100), "audio/wav") for n in range(7)]
    app = uploaded(*files)
    assert len([s for s in app.subheader if s.value.endswith("wav")]) == 5
    assert "7 files" in everything_said(app)


def test_a_hostile_name_is_shown_as_text() -> None:
    app = uploaded(("**<b>x</b>** :red[y] $z$ `q`\u202e.wav", wav(), "audio/wav"))
    name = app.subheader[0].value
    assert "\\<b\\>" in name
    assert "\\*\\*" in name
    assert "\\$z\\$" in name
    assert "\u202e" not in name


def test_an_unknown_sample_in_the_url_opens_the_page_all_the_same() -> None:
    for sample in ("../../etc/passwd", "<script>", "\x00", "x" * 100_000):
        app = opened("1_Inspect", **{"from": "Samples", "sample": sample})
        assert "of sound" in everything_said(app)


def test_the_empty_page_offers_a_next_step_that_works() -> None:
    app = opened("1_Inspect")
    app.button[0].click().run()
    assert not app.exception
    assert "5 s of sound at 44.1 kHz" in everything_said(app)


def test_a_trial_opens_its_sample_and_can_be_linked_to() -> None:
    app = opened("1_Inspect", model="soundbox-mc-dropout")
    next(button for button in app.button if button.label == "Hear a dog in the rain").click().run()
    assert not app.exception
    assert "the sound itself is ambiguous" in everything_said(app)
    assert "Dog or rain" in app.query_params["sample"]


def test_the_server_never_imports_torch() -> None:
    code = (
        "import sys; from streamlit.testing.v1 import AppTest\n"
        f"app = AppTest.from_file('app.py', default_timeout={SECONDS}); app.run()\n"
        "app.query_params['from'] = 'Samples'; app.switch_page('pages/1_Inspect.py').run()\n"
        "assert not app.exception, app.exception\n"
        "print(sorted({'torch', 'librosa', 'timm', 'sklearn', 'lancedb'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=SECONDS)
    assert done.stdout.strip().splitlines()[-1] == "[]", done.stderr[-2000:]


def test_the_doors_of_the_landing_page_lead_to_samples_that_exist() -> None:
    from core.ui import home, samples

    assert {*home.DOORS, *home.DOUBTFUL} <= {sample.name for sample in samples.offered()}


def test_home_states_real_results_of_what_came_with_the_app() -> None:
    said = everything_said(opened("0_Home"))
    assert re.search(r"Keeping the surest 80 % raises accuracy from \d\d\.\d to \d\d\.\d %", said)
    assert re.search(r"the most doubtful fifth holds \d\d % of its errors", said)
