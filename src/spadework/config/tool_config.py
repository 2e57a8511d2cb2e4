"""A tool as the config file has it, and the default tools."""

from __future__ import annotations

import re
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from spadework.config.call_arguments import SHARED_ARGUMENTS
from spadework.config.validators import ConfigSection, KeyPath, misfits

PLACEHOLDER = re.compile(r"\{(\w+)\}")
OPTIONAL_MARK = "?"

Verify = Literal["none", "checks", "second-model"]


class ToolConfig(ConfigSection):
    """A named tool: what Claude sees, and which models answer."""

    use_for: str
    """What the models behind it are good for. Claude decides by this text."""

    avoid_for: str = ""
    """What they are not good for."""

    models: list[str] = []
    """The models that may answer, in order: `backend/model`, or a pattern such as `koala/*`.
    The next is tried when one fails. Only a model that is listed here may be a cloud's. Empty:
    every local model of the configured backends; the embedded model where no backend is
    configured."""

    system: str = (
        "You are a careful assistant. Answer only from what you are given, briefly and "
        "directly. If the answer is not there, say so."
    )
    """The system prompt."""

    parameters: dict[str, str] = {
        "prompt": "The whole task; the model sees nothing else but this and the files."
    }
    """The tool's arguments, name and description. The name of an optional one ends in `?`."""

    template: str = ""
    """How the arguments become the prompt, such as `Question: {question}`. Empty: the
    arguments one after another. File contents always come before it."""

    labels: list[str] = []
    """If set, the answer is exactly one of these, unless the call brings labels or a schema."""

    least_confidence: float = Field(default=0.0, ge=0, le=1)
    """How much more probable the chosen label must be than the next one, from 0 to 1, where the
    server tells probabilities. Below it the next model is asked, and at the end the answer is
    marked unsure. 0: off, since the right value differs from model to model."""

    verify: Verify = "checks"
    """`checks` holds every answer against what was given: quotations, citations, code, language and
    more. `second-model` also has another local model judge it. `none` leaves it at what makes an
    answer whole: not cut, not empty, one of the labels, fitting the schema."""

    verify_model: str = ""
    """The model that judges with `second-model`, written `backend/model`. Empty: the next one of
    `models`."""

    grounded: bool = False
    """Whether every text and number of an answer by schema must occur in the material: for
    extraction. Otherwise only addresses, links and long identifiers must."""

    max_tokens: int = Field(default=1024, gt=0)
    """The longest answer in tokens, thinking included, unless the call asks for another."""

    max_parts: int = Field(default=64, ge=0)
    """The most parts that material is split into where it fits no model's window: each is read by
    itself, and the answer is made from the notes. 0: it is handed back instead."""

    temperature: float | None = Field(default=0.2, ge=0, le=2)
    """Sampling temperature. Low suits the work that is handed over."""

    timeout: float = Field(default=900.0, gt=0)
    """Seconds for one model's whole answer."""

    deadline: float = Field(default=1800.0, gt=0)
    """Seconds for the whole call: waiting for a slot and every model that is tried."""

    @field_validator("models")
    @classmethod
    def _names_a_backend(cls, models: list[str]) -> list[str]:
        misfits(
            ((place,), f"{model!r} is not written backend/model")
            for place, model in enumerate(models)
            if not all(model.partition("/"))
        )
        return models

    @field_validator("verify_model")
    @classmethod
    def _judge_names_a_backend(cls, model: str) -> str:
        if model and ("*" in model or not all(model.partition("/"))):
            raise ValueError(f"{model!r} is not written backend/model")
        return model

    @field_validator("labels")
    @classmethod
    def _labels_differ(cls, labels: list[str]) -> list[str]:
        folded = [label.strip().casefold() for label in labels]
        if len(set(folded)) != len(folded) or "" in folded:
            raise ValueError("must differ from each other and may not be empty")
        return labels

    @model_validator(mode="after")
    def _parameters_fit_the_template(self) -> Self:
        found: list[tuple[KeyPath, str]] = []
        names: set[str] = set()
        for parameter in self.parameters:
            name = parameter.removesuffix(OPTIONAL_MARK)
            if not re.fullmatch(r"[a-z_][a-z0-9_]*", name):
                found.append((("parameters", parameter), "an argument's name is a-z, 0-9 and '_'"))
            elif name in SHARED_ARGUMENTS:
                found.append((("parameters", parameter), "every tool has that argument by itself"))
            elif name in names:
                found.append((("parameters", parameter), "is there twice, with and without '?'"))
            names.add(name)
        if all(name.endswith(OPTIONAL_MARK) for name in self.parameters):
            found.append((("parameters",), "at least one must be required (no '?' at its end)"))
        found += [
            (("template",), f"{{{placeholder}}} is none of its parameters")
            for placeholder in dict.fromkeys(PLACEHOLDER.findall(self.template))
            if placeholder not in names
        ]
        misfits(found)
        return self


ASK_LOCAL_LLAMA = ToolConfig(
    use_for=(
        "bulk summarization, first-pass analysis, classification, simple questions about "
        "text that you would otherwise have to read"
    ),
    avoid_for="deep reasoning, planning, fresh knowledge, anything that must not be wrong",
)

ASK_CODING_MODEL = ToolConfig(
    use_for="syntax checks, boilerplate, formatting questions, simple pattern refactors",
    avoid_for="architecture, debugging across files, security review",
    system=(
        "You are a careful programming assistant. Answer with code or a short explanation, "
        "nothing else. If you are not sure, say so."
    ),
    parameters={
        "question": "The whole task; the model sees nothing else but this, the code and the files.",
        "code?": "A piece of code that it is about. For code in files use `files`.",
    },
)


DEFAULT_TOOLS = {"ask_local_llama": ASK_LOCAL_LLAMA, "ask_coding_model": ASK_CODING_MODEL}
