"""Every Config of the registries, and the Plan, as JSON and as settings a person wrote."""

from __future__ import annotations

import dataclasses
import json
import typing
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import registry
from core.configs import from_json, parsed, settings_of, text_of, to_json, with_settings
from core.errors import UserFacingError
from core.methods import flipout
from core.training.augment import Augment
from core.training.plan import Division, Plan
from core.training.schedule import Schedule

CONFIGS: dict[str, type] = {
    **{f"method {key}": entry.Config for key, entry in registry.discover("core.methods", "METHOD").items()},
    **{f"backbone {key}": entry.Config for key, entry in registry.discover("core.backbones", "BACKBONE").items()},
    **{kind.__name__: kind for kind in (Plan, Division, Schedule, Augment)},
}
TEXT = st.text("abcdefgh0123456789._-", min_size=1, max_size=8).filter(lambda text: text.strip() != "none")


def values(hint: Any, facts: Any) -> st.SearchStrategy[Any]:
    """What a field may hold, from its type and its own bounds."""
    options = typing.get_args(hint) if type(None) in typing.get_args(hint) else (hint,)
    return st.one_of(*(_of(option, facts) for option in options))


def _of(option: Any, facts: Any) -> st.SearchStrategy[Any]:
    low, high = facts.get("min"), facts.get("max")
    if facts.get("choices") and option is not type(None):
        return st.sampled_from(facts["choices"])
    if option is type(None):
        return st.none()
    if typing.get_origin(option) is typing.Literal:
        return st.sampled_from(typing.get_args(option))
    if typing.get_origin(option) is tuple:
        kinds = typing.get_args(option)
        sizes = (0, 3) if kinds[-1] is Ellipsis else (len(kinds), len(kinds))
        return st.lists(_of(kinds[0], {}), min_size=sizes[0], max_size=sizes[1]).map(tuple)
    if dataclasses.is_dataclass(option):
        return configs(typing.cast(type, option))
    if option is int:
        return st.integers(int(low if low is not None else -99), int(min(high, 10**6) if high is not None else 10**6))
    if option is float:
        least, most = (-1e6 if low is None else low), (1e6 if high is None else high)
        return st.floats(least, most, allow_nan=False, allow_subnormal=False)
    return st.booleans() if option is bool else TEXT


def configs(kind: type) -> st.SearchStrategy[Any]:
    """Configs that their own checks accept."""
    hints = typing.get_type_hints(kind)
    fields = {field.name: values(hints[field.name], field.metadata) for field in dataclasses.fields(kind)}

    def made(chosen: dict[str, Any]) -> Any:
        try:
            return kind(**chosen)
        except (UserFacingError, ValueError):  # settings that exclude each other
            return kind()

    return st.fixed_dictionaries(fields).map(made)


def as_settings(config: Any, prefix: str = "") -> list[str]:
    """name=value of every field, as a person would write it."""
    found = []
    for field in dataclasses.fields(config):
        value, name = getattr(config, field.name), prefix + field.name
        if dataclasses.is_dataclass(value):
            found += as_settings(value, f"{name}.")
        elif isinstance(value, tuple):
            found.append(f"{name}={','.join(str(part) for part in value)}")
        else:
            found.append(f"{name}={'none' if value is None else value}")
    return found


@pytest.mark.parametrize("name", CONFIGS)
def test_a_config_comes_back_from_json(name: str) -> None:
    @settings(max_examples=40)
    @given(configs(CONFIGS[name]))
    def check(config: Any) -> None:
        record = json.loads(json.dumps(to_json(config), allow_nan=False))
        back = from_json(type(config), record)
        assert back == config
        assert _types(back) == _types(config)

    check()


@pytest.mark.parametrize("name", CONFIGS)
def test_a_config_is_reached_from_the_default_by_its_settings(name: str) -> None:
    @settings(max_examples=40)
    @given(configs(CONFIGS[name]))
    def check(config: Any) -> None:
        wanted = as_settings(config)
        try:
            found = with_settings(type(config)(), wanted)
        except UserFacingError:  # on the way one setting excluded another, as told in one sentence
            return
        assert found == config
        assert _types(found) == _types(config)

    check()


def _types(config: Any) -> list[Any]:
    found = [getattr(config, field.name) for field in dataclasses.fields(config)]
    return [_types(value) if dataclasses.is_dataclass(value) else type(value) for value in found]


def test_settings_alone_change_what_they_name() -> None:
    found = with_settings(Plan(), ("schedule.epochs=3", "division.by = fold", "augment.flip=yes", "network=a=1,b=2"))
    assert (found.schedule.epochs, found.division.by, found.augment.flip) == (3, "fold", True)
    assert found.network == ("a=1", "b=2")
    assert dataclasses.replace(found, schedule=Schedule(), division=Division(), augment=Augment(), network=()) == Plan()
    assert with_settings(Schedule(), ("batch=1_024", "head_rate=none")).batch == 1024
    assert with_settings(Schedule(head_rate=0.1), ("head_rate=none",)).head_rate is None


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("schedule.epoch=3", "There is no setting 'schedule.epoch' here; did you mean epochs"),
        ("xyzzy=3", "There is no setting 'xyzzy' here; known: data, backbone"),
        ("schedule.epochs", "'schedule.epochs' is no setting; write name=value."),
        ("schedule.epochs=many", "The setting schedule.epochs was given as 'many'; it must be a whole number."),
        ("schedule.epochs=0", "The setting epochs was given as 0; it must be 1 to 100000."),
        ("schedule.rate=nan", "The setting rate was given as nan; it must be 0 to 10."),
        ("augment.flip=perhaps", "The setting augment.flip was given as 'perhaps'; it must be yes or no."),
        ("schedule.optimiser=lion", "must be adamw or adam or amsgrad or sgd."),
        ("schedule=fast", "The setting schedule was given as 'fast'; it must be a group of settings."),
        ("seed.x=1", "The setting seed has no parts, and 'seed.x' names one."),
    ],
)
def test_a_setting_that_cannot_be_is_refused_in_one_sentence(setting: str, sentence: str) -> None:
    with pytest.raises(UserFacingError) as caught:
        with_settings(Plan(), (setting,))
    assert sentence in str(caught.value)
    assert caught.value.code == "setting"


def test_a_record_with_a_field_of_nobody_is_refused() -> None:
    with pytest.raises(UserFacingError, match="no setting 'colour' here"):
        from_json(flipout.Config, {"colour": "red"})
    with pytest.raises(UserFacingError, match="it must be"):
        from_json(flipout.Config, {"scope": "roof"})


@pytest.mark.parametrize(
    ("record", "wanted"),
    [
        ({"epochs": "many"}, "epochs was given as 'many'; it must be a whole number."),
        ({"epochs": True}, "epochs was given as True; it must be a whole number."),
        ({"epochs": 2.5}, "epochs was given as 2.5; it must be a whole number."),
        ({"rate": None}, "rate was given as None; it must be a number."),
        ({"balance": 1}, "balance was given as 1; it must be yes or no."),
    ],
)
def test_a_record_with_a_value_of_another_type_is_refused(record: dict[str, Any], wanted: str) -> None:
    with pytest.raises(UserFacingError, match=wanted):
        from_json(Schedule, record)


@pytest.mark.parametrize("name", CONFIGS)
def test_a_form_of_a_config_says_every_field_and_its_values_lead_back_to_it(name: str) -> None:
    config = CONFIGS[name]()
    form = settings_of(config)
    assert json.loads(json.dumps([dataclasses.asdict(one) for one in form]))
    for one in form:
        inner: Any = config
        for part in one.name.split("."):
            inner = getattr(inner, part)
        assert one.default == (list(inner) if isinstance(inner, tuple) else inner)
        assert one.optional or one.default is not None
        assert one.shape != "choice" or one.default in one.choices
    assert with_settings(config, [f"{one.name}={text_of(one.default)}" for one in form]) == config


def test_as_many_parts_as_there_are_places() -> None:
    config = registry.pick("core.backbones", "BACKBONE", "timm_vision").Config
    assert with_settings(config(), ("size=96,64",)).size == (96, 64)
    for wrong in ("size=96", "size=96,64,3"):
        with pytest.raises(UserFacingError, match="must be a list with commas or none"):
            with_settings(config(), (wrong,))


def test_fields_that_a_record_lacks_have_their_defaults() -> None:
    assert from_json(Plan, {"schedule": {"epochs": 7}}) == Plan(schedule=Schedule(epochs=7))
    assert from_json(Schedule, {"rate": 1}).rate == 1.0
    assert type(from_json(Schedule, {"rate": 1}).rate) is float


def test_none_is_read_where_it_is_allowed_alone() -> None:
    assert parsed(float | None, "None", "x") is None
    assert parsed(str, "none", "x") == "none"
    with pytest.raises(UserFacingError, match="must be a whole number"):
        parsed(int, "none", "x")
