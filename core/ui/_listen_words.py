"""What the Listen page says of a stream and of how its models keep up: pure, no streamlit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.pipeline.listen import Heard, Listening
from core.pipeline.medley import Mark, at
from core.pipeline.pacing import Lane
from core.ui import words
from core.verdict import spoken

_CLOSE = 0.1  # nats between two doubts that are told apart


def lane(one: Lane, title: str, told: Sequence[Heard], chunk: float) -> str:
    """A model's row: its draws, its real-time factor, what came late."""
    if not told:
        return f"<b>{title}</b>  listening"
    draws = "1 draw" if told[-1].draws == 1 else f"{told[-1].draws} draws"
    share = words.figure((one.mean_seconds or 0.0) / chunk, 2)
    return f"<b>{title}</b>  {draws}, {share} ×, {one.late} late, {one.dropped} left out"


def factor(value: float | None) -> str:
    return "–" if value is None else f"{words.figure(value, 2)} ×"


def missed(lanes: Sequence[Lane]) -> str:
    return f"{sum(one.late + one.dropped for one in lanes)} of {sum(one.answered + one.dropped for one in lanes)}"


def finding(told: Mapping[str, Sequence[Heard]], titles: Mapping[str, str], marks: Sequence[Mark]) -> str:
    """Who hears what now, and who doubts most; of a finished stream the same holds of its end."""
    now = {name: heard[-1] for name, heard in told.items() if heard}
    if not now:
        return "Nothing was answered yet."
    moment = max(one.ends for one in now.values())
    labels = dict.fromkeys(one.label for one in now.values())
    if len(labels) == 1:
        hears = f"{'all of them hear' if len(now) > 1 else 'the model hears'} {spoken(next(iter(labels)))}"
    else:
        hears = "; ".join(
            f"{', '.join(titles[name] for name, one in now.items() if one.label == label)}: {spoken(label)}"
            for label in labels
        )
    text = f"At {words.figure(moment)} s {hears}."
    if (playing := at(marks, moment - 1e-6)) is not None:
        text += f" It is {playing.name[:1].lower()}{playing.name[1:]}."
    return f"{text} {_most(now, titles)}"


def _most(now: Mapping[str, Heard], titles: Mapping[str, str]) -> str:
    ranked = sorted(now, key=lambda name: -now[name].doubts["total"])
    most = now[ranked[0]]
    value = f"{words.figure(most.doubts['total'], 2)} nats"
    if len(ranked) == 1:
        return f"Its doubt is {value}{_split(most)}."
    least = now[ranked[-1]].doubts["total"]
    if most.doubts["total"] - least < _CLOSE:
        return f"They doubt alike, {value} at most."
    first, last = titles[ranked[0]], titles[ranked[-1]]
    return f"{first} doubts most: {value}{_split(most)}, against {words.figure(least, 2)} for {last}."


def _split(one: Heard) -> str:
    if one.draws < 2 or one.doubts["total"] <= 0 or "aleatoric" not in one.doubts:
        return ""
    return f", {words.percent(one.doubts['aleatoric'] / one.doubts['total'])} of it in the sound itself"


def ended(told: Mapping[str, Sequence[Heard]], titles: Mapping[str, str], marks: Sequence[Mark]) -> str:
    """What a whole stream showed: where doubt was highest, and over what."""
    every = [(name, one) for name, heard in told.items() for one in heard if one.whole]
    if not every:
        return "The stream was too short for a single whole window."
    name, peak = max(every, key=lambda pair: pair[1].doubts["total"])
    middle = (peak.start + peak.ends) / 2
    text = f"Doubt was highest between {words.figure(peak.start)} and {words.figure(peak.ends)} s: "
    text += f"{words.figure(peak.doubts['total'], 2)} nats from {titles[name]}, which heard {spoken(peak.label)}"
    if (playing := at(marks, middle)) is not None:
        text += f" in {playing.name[:1].lower()}{playing.name[1:]}"
    return text + "."


def windows(listening: Listening) -> str:
    """What an answer is about."""
    found = next(iter(listening.windows.values()), None)
    if found is None:
        return ""
    size, asked = (words.figure(frames / listening.rate) for frames in (found.size, found.asked))
    return f"Each answer is about the last {size} s" + (f", repeated to {asked} s. " if asked != size else ". ")


def rule(chunk: float, most: int) -> str:
    """How the number of draws follows the time."""
    return (
        f"Every {words.figure(chunk)} s the newest stretch is asked about, and its answers have to be there before the "
        "next. What time there is, the models share; how many draws each gets follows from what its last three answers "
        f"took: at least 1, at most the {most} of the side bar. What nobody has time for is left out, never queued."
    )
