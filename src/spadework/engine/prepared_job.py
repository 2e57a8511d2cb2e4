"""A job ready to send: its chat messages, and the requirements on the answer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from spadework.checks.answer_check import AnswerRequirements, GroundingContext, Passage
from spadework.engine.prompt_messages import (
    CITING,
    DATA_NOTICE,
    after_rejection,
    build_messages,
    render_task,
)

if TYPE_CHECKING:
    from spadework.backends.base import Message
    from spadework.config.models import ToolConfig
    from spadework.engine.job import Job
    from spadework.engine.response_format import ResponseFormat
    from spadework.errors import SpadeworkError
    from spadework.references.reader import Material


@dataclass(frozen=True, slots=True)
class PreparedJob:
    """The chat that models are asked, the material in it, and what is asked of an answer."""

    messages: tuple[Message, ...]
    material: Material
    requirements: AnswerRequirements
    asked_first: tuple[Message, ...]

    def after(self, failure: SpadeworkError) -> PreparedJob:
        """The same work, with the reason why the last answer was rejected in its prompt."""
        return replace(self, messages=after_rejection(self.asked_first, str(failure)))


def prepare(tool: ToolConfig, job: Job, form: ResponseFormat, material: Material) -> PreparedJob:
    """Make the chat, and what an answer to it is held against."""
    messages = build_messages(tool, job.arguments, material.sources, job.texts, form)
    passages = tuple(
        Passage(one.path, one.text, one.first_line, one.last_line) for one in material.sources
    )
    given = GroundingContext(render_task(tool, job.arguments), passages, tuple(job.texts.values()))
    requirements = AnswerRequirements(
        given=given,
        labels=form.labels,
        schema=form.schema,
        grounded=tool.grounded,
        content=tool.verify != "none",
        notices=(DATA_NOTICE, CITING) if given.has_material else (),
    )
    return PreparedJob(messages, material, requirements, messages)
