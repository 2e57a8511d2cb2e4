"""Doubles that hold every chat until the test lets go, and note what they were asked at once."""

import asyncio
import threading

from doubles.llama_swap import LlamaSwapDouble
from doubles.ollama import OllamaDouble
from doubles.openai_compatible import OpenAIDouble


class Holding:
    """Holds chats while `free` is not set; `order` has the last word of each prompt."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.free = threading.Event()
        self.at_once = 0
        self.most = 0
        self.order = []
        self.models = []

    async def chat(self, request, wire):
        asked = request.json
        self.order.append(asked["messages"][-1]["content"].split()[-1])
        self.models.append(asked["model"])
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            while not self.free.is_set():
                await wire.rest(0.005)
            await super().chat(request, wire)
        finally:
            self.at_once -= 1


class HeldOpenAI(Holding, OpenAIDouble):
    """Any OpenAI-compatible server."""


class HeldLlamaSwap(Holding, LlamaSwapDouble):
    """A server that holds one model at a time."""


class HeldOllama(Holding, OllamaDouble):
    """Ollama."""


async def until(condition, seconds=10):
    """Wait for what another task or thread brings about."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)
