"""A server whose model reads: it answers by what stands in the prompt, and its window is real."""

import re

from doubles.openai_compatible import OpenAIDouble
from doubles.plays import Play, compact

WINDOW = 2000


class ReadingDouble(OpenAIDouble):
    """Counts words as tokens, refuses what does not fit, and plays what `reply` returns.

    `reply` is given the prompt's last message; the default takes notes of the lines that hold the
    word MARK, merges notes as they are, and in the end says how many it has heard of.
    """

    def __init__(self, window=WINDOW, reply=None):
        super().__init__(tokenizer="llama.cpp")
        self.window = window
        self._says = reply or reading_reply

    async def chat(self, request, wire):
        tokens = sum(len(m["content"].split()) + 4 for m in request.json["messages"])
        if tokens > self.window:
            error = {"n_prompt_tokens": tokens, "n_ctx": self.window, "code": 400}
            error |= {"type": "exceed_context_size_error", "message": "it is too long"}
            self.plays(Play(status=400, body=compact({"error": error})))
        else:
            said = self._says(request.json["messages"][-1]["content"])
            self.plays(
                said if isinstance(said, Play) else Play(reply=said, prompt_tokens=tokens + 8)
            )
        await super().chat(request, wire)

    @property
    def prompts(self):
        return [chat.json["messages"][-1]["content"] for chat in self.chats]


def step_of(prompt):
    if "Do not do the task below yet" in prompt:
        return "part"
    return "merge" if "Merge them into one list" in prompt else "end"


def marks(prompt):
    """The places of the lines that hold MARK, as a model would cite them."""
    found = []
    for name, block in re.findall(r"File (\S+?)[: ][^\n]*\n```+\n(.*?)\n```", prompt, re.DOTALL):
        numbers = re.findall(r"^ *(\d+)\| .*MARK", block, re.MULTILINE)
        found += [f"{name}:{number}" for number in numbers]
    return found


def reading_reply(prompt):
    if step_of(prompt) == "part":
        return "\n".join(f"- A mark stands here ({place})." for place in marks(prompt)) or "NOTHING"
    noted = re.findall(r"A mark stands here \(\S+\)", prompt)
    if step_of(prompt) == "merge":
        return "\n".join(f"- {one}." for one in dict.fromkeys(noted)) or "Nothing new."
    places = [one.partition("(")[2].rstrip(")") for one in dict.fromkeys(noted)]
    return f"There are {len(places)} marks: {', '.join(places)}."
