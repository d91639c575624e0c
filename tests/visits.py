"""The app's pages as a visitor opens them, without a browser."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.settings import PROJECT, Settings
from core.ui import cached
from tests.patience import SECONDS


@contextmanager
def at_home(home: Path) -> Iterator[Settings]:
    """The pages' settings, with a home of one's own and without internet."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PENUMBRA_HOME", str(home))
        patch.setenv("PENUMBRA_OFFLINE", "1")
        cached.settings.clear()
        yield cached.settings()
    cached.settings.clear()


def opened(page: str, **parameters: str) -> AppTest:
    """A page by the name of its file, with these parameters in its address."""
    app = AppTest.from_file(str(PROJECT / "app.py"), default_timeout=SECONDS)
    app.run()
    for key, value in parameters.items():
        app.query_params[key] = value
    app.switch_page(f"pages/{page}.py").run()
    assert not app.exception, app.exception
    return app


def said(app: AppTest) -> str:
    """All sentences on the page."""
    kinds = (app.markdown, app.caption, app.subheader, app.info, app.warning, app.error, app.success)
    return "\n".join(str(element.value) for elements in kinds for element in elements).replace("\\", "")
