"""The app's pages as a visitor opens them, without a browser."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core import jobs as running_jobs
from core.errors import UserFacingError
from core.settings import PROJECT, Settings
from core.ui import cached, running
from tests.patience import SECONDS

HOME = "0_Home"


@contextmanager
def at_home(home: Path) -> Iterator[Settings]:
    """The pages' settings, with a home of one's own and without internet."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PENUMBRA_HOME", str(home))
        patch.setenv("PENUMBRA_OFFLINE", "1")
        cached.settings.clear()
        yield cached.settings()
        running.runner().close()
    cached.settings.clear()


def opened(page: str, session: Mapping[str, object] | None = None, **parameters: str) -> AppTest:
    """A page by the name of its file, as a visitor who comes straight to it, with these parameters in its address."""
    app = AppTest.from_file(str(PROJECT / "app.py"), default_timeout=SECONDS)
    for key, value in parameters.items():
        app.query_params[key] = value
    for key, value in (session or {}).items():
        app.session_state[key] = value
    if page != HOME:
        app.switch_page(f"pages/{page}.py")
    app.run()
    assert not app.exception, app.exception
    return app


def pressed(app: AppTest, label: str) -> AppTest:
    """The first button whose label begins so."""
    next(button for button in app.button if button.label.startswith(label)).click().run()
    assert not app.exception, app.exception
    return app


def refused_jobs(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """No job is taken up from now on; what was asked for."""
    asked: list[list[str]] = []

    def refuse(_: Settings, words: list[str], **options: object) -> None:
        asked.append(words)
        raise UserFacingError("The list of jobs is held by another process; try again.")

    monkeypatch.setattr(running_jobs, "submit", refuse)
    return asked


def said(app: AppTest) -> str:
    """All sentences on the page."""
    kinds = (app.markdown, app.caption, app.subheader, app.info, app.warning, app.error, app.success)
    return "\n".join(str(element.value) for elements in kinds for element in elements).replace("\\", "")
