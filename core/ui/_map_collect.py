"""Items that came with a model as a collection of one's own, which can be tagged, noted and relabelled."""

from __future__ import annotations

import numpy as np
import streamlit as st

from core.errors import UserFacingError
from core.pipeline import selected
from core.pipeline.atlas import Atlas
from core.ui import _map_data, _map_selected, cached, words
from core.ui.controls import Choice


def offer(chosen: Choice, atlas: Atlas) -> None:
    held = _map_selected.held(atlas)
    rows = np.arange(len(atlas)) if held is None else held
    many = f"{'these' if held is not None else 'all'} {words.count(len(rows))}"
    st.markdown(
        "These items came with the model, which stays as it is. Tags, notes and new labels are kept with a collection "
        "of your own: it is made of copies, and seen through the same model."
    )
    if st.button(f"Make a collection of {many}", icon=":material/create_new_folder:", key="map-collect"):
        try:
            with st.spinner("Copying the items"):
                ids = [atlas.ids[row] for row in rows.tolist()]
                manifest = selected.write_all(atlas, ids, cached.settings())
        except UserFacingError as error:
            st.error(words.plain(str(error), 400), icon=":material/block:")
            return
        _map_data.index(chosen, str(manifest), f"my-{atlas.name}", "collect")
    _map_data.watch("collect")
