"""Items as cards: a picture, a name, the word of the verdict, and a player for the one that is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import streamlit as st

from core.errors import UserFacingError
from core.pipeline.atlas import Atlas
from core.ui import _cached_atlas, _map_words, cached, words

_PER_PAGE = 10
_WIDTH = 156  # pixels: five fill a row of a 1280 window, two that of a phone
_ORDERS = {
    "classes": "Clearest and most ambiguous of each class",
    "doubtful": "Most doubtful first",
    "surest": "Surest first",
    "novel": "Most novel first",
    "wrong": "Sure and wrong",
}
PLAYED = "map-played"  # in the session: the item whose player is open, as name of the data, id, place of the player
CHANGED = "map-changed"  # in the session: what another part of the page shows has changed, so that all is drawn anew


@dataclass(frozen=True, slots=True)
class Card:
    row: int
    note: str = ""  # why it is here


def orders(atlas: Atlas) -> dict[str, str]:
    found = dict(_ORDERS)
    if "novelty" not in atlas.doubts:
        found.pop("novel")
    if not np.isfinite(atlas.right).any():
        found.pop("wrong")
    return found


def ordered(atlas: Atlas, rows: np.ndarray, order: str) -> list[Card]:
    """The items of a selection as a list to look through."""
    doubt = np.nan_to_num(atlas.doubts["total"], nan=np.inf)
    if order == "classes":
        return _extremes(atlas, rows)
    if order == "wrong":
        wrong = rows[atlas.right[rows] < 1]
        return [Card(int(row)) for row in wrong[np.argsort(doubt[wrong], kind="stable")]]
    if order == "novel":
        strange = np.nan_to_num(atlas.doubts["novelty"], nan=-np.inf)
        return [Card(int(row)) for row in rows[np.argsort(-strange[rows], kind="stable")]]
    sign = -1.0 if order == "doubtful" else 1.0
    finite = np.where(np.isfinite(doubt), doubt, -np.inf if order == "doubtful" else np.inf)
    return [Card(int(row)) for row in rows[np.argsort(sign * finite[rows], kind="stable")]]


def _extremes(atlas: Atlas, rows: np.ndarray) -> list[Card]:
    """Of each class the least doubtful item, a right one where there is one, and the one that is most ambiguous."""
    total, right = atlas.doubts["total"], atlas.right
    ambiguous = atlas.doubts.get("aleatoric", total)
    groups: dict[str, list[int]] = {}
    for row in rows[np.isfinite(total[rows])].tolist():
        groups.setdefault(_class(atlas, row), []).append(row)
    cards = []
    for name in sorted(groups):
        mine = np.array(groups[name], np.int64)
        sound = mine[right[mine] >= 1] if (right[mine] >= 1).any() else mine
        clear, blurred = int(sound[total[sound].argmin()]), int(mine[ambiguous[mine].argmax()])
        cards.append(Card(clear, "the clearest"))
        if blurred != clear:
            cards.append(Card(blurred, "the most ambiguous"))
    return cards


def _class(atlas: Atlas, row: int) -> str:
    label = atlas.label_names[row]
    return label if label is not None else atlas.classes[int(atlas.predicted[row])] if atlas.predicted[row] >= 0 else ""


Beneath = Callable[[Atlas, int, str], None]  # what stands below a card: the items, the row of its one, a key


def grid(atlas: Atlas, cards: Sequence[Card], key: str, beneath: Beneath | None = None) -> None:
    """A page of cards; thumbnails of one page are made side by side."""
    if not cards:
        st.caption("No item of this kind is here.")
        return
    pages = -(-len(cards) // _PER_PAGE)
    if st.session_state.get(f"{key}-page", 1) > pages:  # of a longer list
        st.session_state[f"{key}-page"] = 1
    page = int(st.session_state.get(f"{key}-page", 1))
    shown = cards[(page - 1) * _PER_PAGE : page * _PER_PAGE]
    thumbs = _cached_atlas.thumbs_of(atlas, tuple(atlas.ids[card.row] for card in shown))
    with st.container(horizontal=True, gap="small"):
        for card in shown:
            with st.container(width=_WIDTH, gap="small"):
                own = f"{key}-{atlas.ids[card.row]}"
                show(atlas, card, thumbs.get(atlas.ids[card.row]), own)
                if beneath is not None:
                    beneath(atlas, card.row, own)
    if pages > 1:
        st.caption(f"{words.count(len(cards))} items, {_PER_PAGE} on a page")
        st.pagination(pages, key=f"{key}-page")


def show(atlas: Atlas, card: Card, thumbnail: bytes | None, key: str) -> None:
    row, id_ = card.row, atlas.ids[card.row]
    if thumbnail is not None:
        st.image(thumbnail, width="stretch", alt=f"thumbnail of {id_}")
    st.markdown(_map_words.item(atlas, row))
    st.caption((f"{words.plain(card.note, 200)} · " if card.note else "") + _map_words.doubts(atlas, row))
    if st.session_state.get(PLAYED) == (atlas.name, id_, "card"):
        player(atlas, row, autoplay=True, width=_WIDTH)
    else:
        label = "Play" if atlas.kind == "audio" else "Enlarge"
        icon = ":material/play_arrow:" if atlas.kind == "audio" else ":material/zoom_in:"
        st.button(label, key=f"{key}-play", icon=icon, type="tertiary", on_click=play, args=(atlas.name, id_, "card"),
                  help=words.plain(id_))  # fmt: skip


def play(name: str, id_: str, where: Literal["chart", "card"]) -> None:
    """Open the one player of the page: beside the chart, or in the card of the item."""
    before = st.session_state.get(PLAYED)
    st.session_state[PLAYED] = (name, id_, where)
    if before is not None and before[2] != where:
        st.session_state[CHANGED] = True  # the other part closes its player


def follow() -> None:
    """Draw the whole page anew where a part of it changed what the others show."""
    if st.session_state.pop(CHANGED, False):
        st.rerun()


def player(atlas: Atlas, row: int, *, autoplay: bool = False, width: Literal["stretch"] | int = "stretch") -> None:
    """What was analysed, to hear or to see whole. Of two players that are the same in all, width included, Streamlit
    plays only the first that the page ever had."""
    id_ = atlas.ids[row]
    try:
        view = cached.shown(_cached_atlas.item_of(atlas, id_))
    except UserFacingError as error:
        st.caption(words.plain(str(error), 300))
        return
    if atlas.kind == "audio":
        st.audio(view.preview, format="audio/flac", autoplay=autoplay, width=width, alt=f"{id_}, as it was analysed")
    else:
        st.image(view.preview, width="stretch", alt=f"{id_}, as it was analysed")
