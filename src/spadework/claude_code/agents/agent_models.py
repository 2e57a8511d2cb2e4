"""Names of models, and which model an agent runs on, by the client's own order of precedence.

Measured on 2.1.330: the Agent tool's parameter, the frontmatter (where `inherit` means the main
model), the variable `CLAUDE_CODE_SUBAGENT_MODEL`, the main model. With
`CLAUDE_CODE_SUBAGENT_MODEL_FORCE` the variable beats all; in 2.1.197 it does so by itself. A
variable in the `env` of a settings file beats the one of the shell.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spadework.claude_code.plugins import read_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spadework.claude_code.agents.definitions import Agent
    from spadework.claude_code.claude_client import ClaudePaths

FAMILIES = ("haiku", "sonnet", "opus", "fable")
ALIASES = (*FAMILIES, "best", "opusplan", "inherit")
LONG_CONTEXT = "[1m]"

_FULL_ID = re.compile(
    r"(?:(?:us-gov|us|eu|apac|jp|au|global)\.)?(?:anthropic\.)?claude-[a-z0-9][\w.:@-]*"
    r"|arn:aws:bedrock:\S+"
)
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9._:/@\[\]-]*")


def is_known(model: str) -> bool:
    """Whether the client maps it to a Claude model; otherwise it goes to the API unchanged."""
    name = without_long_context(model).lower()
    return name in ALIASES or _FULL_ID.fullmatch(name) is not None


def is_writable(model: str) -> bool:
    """Whether it may be written to a frontmatter: one word that every YAML parser reads alike."""
    return is_known(model) and _PLAIN.fullmatch(model) is not None


def has_long_context(model: str) -> bool:
    """Whether it asks for the window of a million tokens."""
    return model.lower().endswith(LONG_CONTEXT)


def without_long_context(model: str) -> str:
    """The name without `[1m]`."""
    return model[: -len(LONG_CONTEXT)] if has_long_context(model) else model


def family(model: str) -> str:
    """The family of a model's name: `haiku`, …; empty where none is in it."""
    name = model.lower()
    if without_long_context(name) in {"best", "opusplan"}:
        return "opus"
    return next((one for one in FAMILIES if one in name), "")


SUBAGENT_MODEL = "CLAUDE_CODE_SUBAGENT_MODEL"
FORCE = "CLAUDE_CODE_SUBAGENT_MODEL_FORCE"
MAIN_MODEL = "ANTHROPIC_MODEL"
OTHER_PROVIDERS = tuple(
    f"CLAUDE_CODE_USE_{name}" for name in ("BEDROCK", "VERTEX", "FOUNDRY", "MANTLE")
)
THE_MAIN_MODEL = "main model"

_SHELL = "the environment"
_NO = {"", "0", "false", "no", "off"}


@dataclass(frozen=True, slots=True)
class ModelSetting:
    """A value, and where it was set; both empty where it was not."""

    value: str = ""
    where: str = ""


@dataclass(frozen=True, slots=True)
class Setup:
    """What decides about models beside the agents themselves."""

    subagent_model: ModelSetting
    force: ModelSetting
    main_model: ModelSetting
    other_provider: bool = False

    @property
    def is_forced(self) -> bool:
        """Whether the variable beats all."""
        return self.force.value.strip().lower() not in _NO


@dataclass(frozen=True, slots=True)
class Resolution:
    """The model that an agent runs on and why; the Agent tool's own parameter may still differ."""

    model: str
    why: str

    @property
    def family(self) -> str:
        """The model's family, empty where it is not known."""
        return family(self.model)


def read_setup(places: ClaudePaths, environ: Mapping[str, str]) -> Setup:
    """Read the variables from the environment and from the settings files, the last one counts."""
    found = {name: ModelSetting(value, _SHELL) for name, value in environ.items()}
    main = ModelSetting()
    for scope in ("user", "project", "local"):
        path = places.settings[scope]
        settings = read_json(path)
        variables = settings.get("env")
        for name, value in variables.items() if isinstance(variables, dict) else ():
            found[name] = ModelSetting(_as_text(value), str(path))
        if isinstance(model := settings.get("model"), str) and model.strip():
            main = ModelSetting(model.strip(), str(path))
    if (variable := found.get(MAIN_MODEL)) and variable.value.strip():
        main = ModelSetting(variable.value.strip(), f"{MAIN_MODEL} in {variable.where}")
    return Setup(
        subagent_model=_set(found.get(SUBAGENT_MODEL)),
        force=_set(found.get(FORCE)),
        main_model=main,
        other_provider=any(_set(found.get(name)).value for name in OTHER_PROVIDERS),
    )


def _as_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _set(setting: ModelSetting | None) -> ModelSetting:
    if setting is None or not setting.value.strip():
        return ModelSetting()
    return ModelSetting(setting.value.strip(), setting.where)


def resolve(agent: Agent, setup: Setup) -> Resolution:
    """Say which model an agent runs on when the Agent tool names none."""
    variable = setup.subagent_model.value
    variable_counts = bool(variable) and variable != "inherit"
    if setup.is_forced:
        if variable_counts:
            return Resolution(variable, f"{SUBAGENT_MODEL}, forced")
        return _main(setup, f"{FORCE} is set")
    if agent.model and agent.model.lower() != "inherit":
        return Resolution(agent.model, "frontmatter")
    if agent.model:
        return _main(setup, "built in" if agent.source == "built-in" else "frontmatter: inherit")
    if variable_counts:
        return Resolution(variable, SUBAGENT_MODEL)
    return _main(setup, "no model named")


def _main(setup: Setup, why: str) -> Resolution:
    if setup.main_model.value:
        return Resolution(f"{THE_MAIN_MODEL} ({setup.main_model.value})", why)
    return Resolution(THE_MAIN_MODEL, why)
