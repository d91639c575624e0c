"""From air to numbers: sampling and its ghosts, the spectrum, and the window that chooses between when and what."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.lessons._contract import Claim, Heard, Lesson, Number, Outcome, Own, Telling, untold
from core.lessons._pictures import Line, Lines, Picture, Spectrogram, Strip
from core.media.spectrogram import MelConfig, log_mel, mel_edges
from core.methods._knobs import check, knob
from core.settings import Settings

_RATE, _SECONDS = 44_100, 1.5
_MOST = 8  # seconds of a reader's sound
_LEVEL = 0.2
_BARE, _FILTERED = "nothing", "a filter"
_HEARD = 0.01  # amplitude below which a tone is called silence
_SAME = 20.0  # Hz
_SHORT, _LONG = 4, 84  # ms: the ends of the window's knob
_BANDS = 48


@dataclass(frozen=True, slots=True)
class Config:
    tone: float = knob(4700.0, "pitch of the tone in Hz", least=500.0, most=7500.0)
    rate: int = knob(6000, "samples taken each second", least=4000, most=24000)
    before: str = knob(_BARE, "what the tone goes through before it is sampled", choices=(_BARE, _FILTERED))
    window: int = knob(24, "length of the spectrogram's window in milliseconds", least=_SHORT, most=_LONG)
    bird: int = knob(0, "which bird is looked at", least=0, most=20)

    def __post_init__(self) -> None:
        check(self)


def before(config: Config, seed: int, settings: Settings) -> tuple[Picture, ...]:
    through = " after a filter" if config.before == _FILTERED else ""
    title = f"A tone of {config.tone:g} Hz, to be sampled {config.rate} times a second{through}"
    return (Strip(title, ("the tone",), (_tone(config.tone, _RATE),), _RATE),)


def compute(config: Config, seed: int, settings: Settings, progress: Telling = untold) -> Outcome:
    original = _tone(config.tone, _RATE)
    bare, filtered = _tone(config.tone, config.rate), _at(original, _RATE, config.rate)
    taken = filtered if config.before == _FILTERED else bare
    heard = _at(taken, config.rate, _RATE)
    progress(1, 2, "sampling the tone")
    bird = _bird(config.bird, seed)
    views = {length: _view(bird, length, "A bird") for length in dict.fromkeys((_SHORT, config.window, _LONG))}
    progress(2, 2, "looking at a bird")
    return _outcome(config, original, heard, views)


def claims(outcome: Outcome) -> tuple[Claim, ...]:
    return (
        Claim("what is sampled too rarely comes back as another tone", outcome.right == 2),
        Claim("its pitch is folded at half the rate", abs(outcome["heard"] - outcome["folded"]) < _SAME),
        Claim("a short window tells when", outcome[f"steps {_SHORT}"] > 3 * outcome[f"steps {_LONG}"]),
        Claim("mel bands crowd where we hear finely", outcome["half of the bands"] < 0.4 * outcome["highest"]),
    )


def hear(
    samples: np.ndarray, rate: int, config: Config, seed: int, settings: Settings, progress: Telling = untold
) -> Heard:
    """Resampled with a filter and without one. Without one whole samples are left out, so that the rate divides."""
    original = _at(samples[: _MOST * rate], rate, _RATE)
    every = max(1, round(_RATE / config.rate))
    found = {
        "as it came": original,
        "filtered first": _at(_at(original, _RATE, _RATE // every), _RATE // every, _RATE),
        "every so many samples": _at(original[::every], _RATE // every, _RATE),
    }
    half = _RATE // every / 2
    spectrum = np.abs(np.fft.rfft(original)) ** 2
    above = float(spectrum[np.fft.rfftfreq(len(original), 1 / _RATE) > half].sum() / max(float(spectrum.sum()), 1e-12))
    says = (
        f"{above:.1%} of your sound's energy lies above {half:.0f} Hz, half the rate of {_RATE // every} a second. "
        "With a filter that part falls silent; without one it comes back as tones that you never made."
    )
    strip = Strip("Your sound, sampled", tuple(found), tuple(found.values()), _RATE)
    return Heard(
        says, (strip, *(_view(original, length, "Your sound") for length in dict.fromkeys((_SHORT, config.window))))
    )


def _at(samples: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    import soxr

    return np.asarray(soxr.resample(samples, rate, wanted, "HQ"), np.float32)


def folded(tone: float, rate: float) -> float:
    """Where a tone appears that was sampled without a filter."""
    rest = tone % rate
    return min(rest, rate - rest)


def _tone(pitch: float, rate: int) -> np.ndarray:
    """With soft ends, so that it does not click."""
    times = np.arange(round(_SECONDS * rate)) / rate
    ends = np.clip(np.minimum(times, _SECONDS - times) / 0.05, 0.0, 1.0)
    return (_LEVEL * ends * np.sin(2 * np.pi * pitch * times)).astype(np.float32)


def _bird(source: int, seed: int) -> np.ndarray:
    from core.data import soundbox

    return soundbox.morph("chirping_birds", source=source, seed=seed).samples[: 2 * _RATE]


def _view(samples: np.ndarray, length: int, name: str) -> Spectrogram:
    size = round(length / 1000 * _RATE)
    config = MelConfig(_RATE, size, max(64, size // 4), _BANDS, 50.0, 16_000.0)
    levels = log_mel(samples, config).T.astype(np.float32)
    centres = mel_edges(50.0, 16_000.0, _BANDS)[1:-1]
    said = f"Two events closer than {length} ms melt together; so do two pitches closer than {1000 / length:.0f} Hz."
    return Spectrogram(f"{name} through a window of {length} ms", said, levels, centres, len(samples) / _RATE)


def _spectrum(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pitches in kHz and amplitudes, with a Hann window; a tone stands as high as it is loud."""
    window = np.hanning(len(samples))
    sizes = 2.0 * np.abs(np.fft.rfft(samples * window)) / window.sum()
    return np.fft.rfftfreq(len(samples), 1 / _RATE) / 1000, sizes


def _outcome(config: Config, original: np.ndarray, heard: np.ndarray, views: dict[int, Spectrogram]) -> Outcome:
    pitches, size = _spectrum(heard)
    peak, loud = 1000 * float(pitches[size.argmax()]), float(size.max())
    right = 1 if loud < _HEARD else 0 if abs(peak - config.tone) < _SAME else 2
    came = "nothing that can be heard" if right == 1 else f"a tone of {peak:.0f} Hz"
    said = f"{config.tone:.0f} Hz, sampled {config.rate} times a second, plays back as {came}."
    edges = mel_edges(50.0, 16_000.0, _BANDS)
    middle = float(edges[1:-1][_BANDS // 2])
    numbers = (
        Number("heard", "pitch of what is heard, Hz", peak),
        Number("folded", "pitch that folding predicts, Hz", folded(config.tone, config.rate)),
        Number("half of the bands", "half of the mel bands lie below this, Hz", middle),
        Number("highest", "the highest mel band, Hz", float(edges[-2])),
        *(Number(f"steps {length}", f"steps a second, window of {length} ms", one.levels.shape[1] / one.seconds)
          for length, one in views.items()),
    )  # fmt: skip
    ghost = folded(config.tone, config.rate)
    sentences = (
        f"Half the rate is {config.rate / 2:.0f} Hz. Below it samples say everything. A tone above it leaves the very "
        f"samples that one of {ghost:.0f} Hz would leave: nothing later can tell them apart.",
        "That is why a resampler filters first: silence is honest, a ghost is not. Each model here resamples for "
        "itself with such a filter, and says so.",
        f"The window of a spectrogram cannot be short and long at once: {_SHORT} ms tells when, {_LONG} ms tells which "
        "pitch. A network that is given one never sees the other.",
        f"Half of the {_BANDS} mel bands lie below {middle:.0f} Hz of {edges[-2]:.0f}, as ears divide them.",
    )
    return Outcome(right, said, _pictures(original, heard, tuple(views.values()), edges), sentences, numbers)


def _pictures(
    original: np.ndarray, heard: np.ndarray, views: tuple[Spectrogram, ...], edges: np.ndarray
) -> tuple[Picture, ...]:
    start, length = _RATE // 2, round(0.004 * _RATE)
    times = 1000 * np.arange(length) / _RATE
    waves = (
        Line("the tone", times, original[start : start + length], "faint"),
        Line("from its samples", times, heard[start : start + length], "signal"),
    )
    spectra = []
    for name, samples, look in (("the tone", original, "faint"), ("from its samples", heard, "signal")):
        pitches, sizes = _spectrum(samples)
        near = pitches <= 8.0
        groups = np.array_split(np.arange(int(near.sum())), 400)
        places = np.array([group[sizes[group].argmax()] for group in groups])
        spectra.append(Line(name, pitches[places], sizes[places], look))  # type: ignore[arg-type]
    bands = Line("mel bands", np.arange(1.0, len(edges) - 1), edges[1:-1] / 1000, "signal")
    return (
        Lines("Four milliseconds", "What is played back goes through every sample, and need not be the tone.",
              "time in milliseconds", "amplitude", waves, 1.2 * _LEVEL, -1.2 * _LEVEL),
        Strip("Listen", ("the tone", "from its samples"), (original, heard), _RATE),
        Lines("The spectrum", "One peak each: a pure tone is one place in it.", "pitch in kHz", "amplitude",
              tuple(spectra), 1.2 * _LEVEL, -0.2 * _LEVEL),
        *views,
        Lines("Where the mel bands lie", f"Evenly spaced for the ear, from {edges[1]:.0f} to {edges[-2]:.0f} Hz.",
              "number of the band", "centre in kHz", (bands,)),
    )  # fmt: skip


LESSON = Lesson(
    key="signals",
    number=1,
    title="From air to numbers",
    idea="What is lost when a sound is sampled never comes back, and what a spectrogram shows depends on its window.",
    opening=(
        "A sound reaches a model as numbers: its pressure, taken so many times a second. Too seldom, and a high tone "
        "leaves the samples of another one. A spectrogram then cuts the sound into windows and asks each which pitches "
        "it holds.",
    ),
    question="The tone is sampled as the title above it says, and played back from its samples. What is heard?",
    options=("The same tone", "Nothing", "Another tone, lower"),
    Config=Config,
    before=before,
    compute=compute,
    claims=claims,
    terms=(),
    hear=hear,
    own=Own(
        "On Inspect, record something and see what is done to it on the way to a model.",
        "Inspect a recording", "pages/1_Inspect.py",
    ),
    seconds=1.0,
)  # fmt: skip
