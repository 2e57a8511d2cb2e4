"""A request to Claude and its reply, as values that can be stored in a database."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ClaudeRequest:
    """One request.

    Args:
        model: the model's name as the API has it.
        prompt: the question, sent last.
        system: who Claude is to be.
        shared: a long beginning that many questions of a run share; it is cached by the API.
        material: further texts by name, sent between the shared part and the question.
        max_tokens: the longest reply.
    """

    model: str
    prompt: str
    system: str = ""
    shared: str = ""
    material: tuple[tuple[str, str], ...] = ()
    max_tokens: int = 4096

    @property
    def bytes(self) -> int:
        """How long its texts are in UTF-8, without the names of the material."""
        return _bytes(self.prompt, self.system, self.shared, *(text for _, text in self.material))

    @property
    def bytes_of_names(self) -> int:
        """How long the names of the material are in UTF-8."""
        return _bytes(*(name for name, _ in self.material))


@dataclass(frozen=True, slots=True)
class ClaudeAnswer:
    """One reply; tokens as the API counted them, the cost in US dollars by `genai-prices`."""

    text: str
    model: str
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_usd: float = 0.0


def _bytes(*texts: str) -> int:
    return sum(len(text.encode(errors="replace")) for text in texts)
