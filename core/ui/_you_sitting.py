"""One visitor's dozen: what is asked, what was answered, and whether it was given to the class."""

from __future__ import annotations

from dataclasses import dataclass, field

import streamlit as st

from core.pipeline.atlas import Atlas
from core.pipeline.votes import Ballot, Poll, new_voter
from core.ui.address import Kept
from core.ui.bound import whole

_KEY = "you-sitting"
MOST_SEED = 999_999
DOZEN = Kept("dozen", 1, whole(0, MOST_SEED), f"a whole number from 0 to {MOST_SEED}")


@dataclass(slots=True, eq=False)
class Sitting:
    data: str  # version of the data
    seed: int
    code: str  # "" alone
    ids: tuple[str, ...]
    classes: int
    voter: str = field(default_factory=new_voter)
    begun: bool = False
    chosen: int | None = None  # class of the item at hand, before its sureness
    answers: list[int] = field(default_factory=list)
    sure: list[int] = field(default_factory=list)
    cast: bool = False

    @property
    def at(self) -> int:
        """Place of the item at hand."""
        return len(self.answers)

    @property
    def over(self) -> bool:
        return self.at == len(self.ids)

    @property
    def poll(self) -> Poll:
        return Poll(self.code, self.data, self.ids, self.classes)

    @property
    def ballot(self) -> Ballot:
        return Ballot(tuple(self.answers), tuple(self.sure))

    def choose(self, place: int) -> None:
        if not self.over and 0 <= place < self.classes:
            self.chosen = place

    def say(self, sure: int) -> None:
        if self.chosen is not None and not self.over:
            self.answers.append(self.chosen)
            self.sure.append(sure)
            self.chosen = None

    def back(self) -> None:
        """To the item before, whose answer is given anew; not after the last one."""
        if self.chosen is not None:
            self.chosen = None
        elif self.answers and not self.over:
            self.answers.pop()
            self.sure.pop()


def sitting(atlas: Atlas, seed: int, code: str, ids: tuple[str, ...]) -> Sitting:
    """The one under way; a new one where the data, the seed or the class is another."""
    found: Sitting | None = st.session_state.get(_KEY)
    wanted = (atlas.version, seed, code, ids, len(atlas.classes))
    if found is None or (found.data, found.seed, found.code, found.ids, found.classes) != wanted:
        found = Sitting(atlas.version, seed, code, ids, len(atlas.classes))
        st.session_state[_KEY] = found
    return found


def anew() -> None:
    """For the next person at this browser."""
    st.session_state.pop(_KEY, None)
