"""What a visitor gives as data: odd paths are answered in a sentence, never with a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.data import local, open_source
from core.errors import UserFacingError
from core.settings import Settings

ODD = ["~no-such-user/x", "/" + "x" * 5000, "/a\0b", "relative/x", "/not/there"]


def page() -> None:
    import streamlit as st

    from core.ui import given

    st.text(str(given.folder("place")))


@pytest.mark.parametrize("text", ODD)
def test_a_path_that_cannot_be_is_one_sentence(text: str, tmp_path: Path) -> None:
    app = AppTest.from_function(page).run()
    assert not app.error
    app.text_input[0].set_value(text).run()
    assert not app.exception
    assert [one.value for one in app.error] == ["There is no such folder or file; give its whole path."]
    assert app.text[0].value == "None"
    with pytest.raises(UserFacingError):
        open_source(text, Settings(home=tmp_path, offline=True))


def test_what_is_there_comes_with_its_name(tmp_path: Path) -> None:
    place = tmp_path / "my sounds"
    place.mkdir()
    app = AppTest.from_function(page).run()
    app.text_input[0].set_value(f"  {place} ").run()
    assert app.text[0].value == str((str(place), "my sounds"))
    assert local(str(place)) == place
