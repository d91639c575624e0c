"""Numbers as people read them: three significant digits, units, thin spaces."""

from __future__ import annotations

import math

_THIN = "\u2009"


def count(number: int) -> str:
    """12345 -> 12 345, with thin spaces."""
    return f"{number:,}".replace(",", _THIN)


def counted(number: int, noun: str) -> str:
    """1 model, 12 models."""
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"


def figure(value: float, digits: int = 3) -> str:
    """Three significant digits, never in scientific notation for everyday sizes."""
    if not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    rounded = round(value, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{rounded:,.{places}f}".replace(",", _THIN)
    return text.rstrip("0").rstrip(".") if "." in text else text


def seconds(length: float) -> str:
    """As people say it: 320 ms, 5 s, 3 min 20 s, 1 h 5 min."""
    if length < 1:
        return f"{figure(length * 1000)} ms"
    if length < 60:
        return f"{figure(length)} s"
    whole = round(length)
    if whole < 3600:
        return _pair(whole // 60, "min", whole % 60, "s")
    return _pair(whole // 3600, "h", whole % 3600 // 60, "min")


def _pair(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large} {large_unit}" + (f" {small} {small_unit}" if small else "")


def hertz(rate: float) -> str:
    return f"{figure(rate / 1000)} kHz" if rate >= 1000 else f"{figure(rate)} Hz"


def rate(samples_per_second: int) -> str:
    """A sample rate, exact: 22.05 kHz."""
    return f"{samples_per_second / 1000:g} kHz"


def size(octets: int) -> str:
    for unit, scale in (("MB", 1e6), ("kB", 1e3)):
        if octets >= scale:
            return f"{figure(octets / scale)} {unit}"
    return f"{octets} bytes"


def percent(share: float) -> str:
    """Without decimals above 10 %."""
    value = share * 100
    return f"{value:.0f} %" if value >= 10 or value == 0 else f"{figure(value, 2)} %"


def chance(p: float) -> str:
    """A probability that is never said to be 0 or 1."""
    return "> 99 %" if p > 0.99 else "< 1 %" if p < 0.01 else percent(p)


def ahead(number: int) -> str:
    """One's place in a line: 1 is the next."""
    return "it is next" if number == 1 else f"{number - 1} before it" if number > 1 else "it is its turn"


def plain(text: str, limit: int = 80) -> str:
    """A user's text made safe to show in Markdown: control marks gone, markup escaped, long ones cut."""
    kept = "".join(c if c.isprintable() or c == _THIN else "\ufffd" for c in text)  # our own thin space stays
    kept = kept if len(kept) <= limit else kept[: limit - 1] + "…"
    return "".join(f"\\{c}" if c in r"\`*_{}[]()#+-.!|<>~$:^=&" else c for c in kept)
