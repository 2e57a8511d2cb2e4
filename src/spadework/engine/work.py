"""What a job comes to once its references are read: the chat, and what its answer must be."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from spadework.answers.checks import Demand
from spadework.answers.given import Given, Passage
from spadework.engine.prompt import (
    CITING,
    DATA_NOTICE,
    after_rejection,
    build_messages,
    render_task,
)

if TYPE_CHECKING:
    from spadework.backends.base import Message
    from spadework.config.models import ToolConfig
    from spadework.engine.form import Form
    from spadework.engine.values import Job
    from spadework.errors import SpadeworkError
    from spadework.inputs.material import Material


@dataclass(frozen=True, slots=True)
class Work:
    """The chat that models are asked, the material in it, and what is asked of an answer."""

    messages: tuple[Message, ...]
    material: Material
    demand: Demand
    asked_first: tuple[Message, ...]

    def after(self, failure: SpadeworkError) -> Work:
        """The same work, with the reason why the last answer was rejected in its prompt."""
        return replace(self, messages=after_rejection(self.asked_first, str(failure)))


def work_of(tool: ToolConfig, job: Job, form: Form, material: Material) -> Work:
    """Make the chat, and what an answer to it is held against."""
    messages = build_messages(tool, job.arguments, material.sources, job.texts, form)
    passages = tuple(
        Passage(one.path, one.text, one.first_line, one.last_line) for one in material.sources
    )
    given = Given(render_task(tool, job.arguments), passages, tuple(job.texts.values()))
    demand = Demand(
        given=given,
        labels=form.labels,
        schema=form.schema,
        grounded=tool.grounded,
        content=tool.verify != "none",
        notices=(DATA_NOTICE, CITING) if given.has_material else (),
    )
    return Work(messages, material, demand, messages)
