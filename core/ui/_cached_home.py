"""What the landing page keeps for all visitors."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import streamlit as st

from core.media.door import open_view
from core.pipeline.atlas import Atlas
from core.ui import _home_charts, cached, samples
from core.ui.samples import Sample


@st.cache_resource(show_spinner="Making a thumbnail of each class")
def tiles(key: str) -> tuple[tuple[str, bytes], ...]:
    """All thumbnails of one set at once: rendered and decoded side by side."""
    data, chosen = cached.dataset(key), [sample for sample in samples.offered() if sample.data == key]
    items = {item.id: item for item in data.items}
    with ThreadPoolExecutor(cached.settings().decoders) as pool:
        pictures = pool.map(lambda sample: open_view(data.read(items[sample.item])).thumbnail, chosen)
        return tuple((sample.name, picture) for sample, picture in zip(chosen, pictures, strict=True))


@st.cache_resource(max_entries=32, show_spinner="Rendering an example")
def thumbnail(sample: Sample) -> bytes:
    return open_view(cached.item_bytes(sample.data, sample.item)).thumbnail


def kept(atlas: Atlas) -> _home_charts.Kept:
    return _kept(atlas.fingerprint, atlas)


@st.cache_resource(max_entries=8, show_spinner=False)
def _kept(fingerprint: str, _atlas: Atlas) -> _home_charts.Kept:
    return _home_charts.kept_of(_atlas)
