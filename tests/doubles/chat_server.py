"""What the doubles of all chat servers share: which play is on for a model, and performing it."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from doubles.contracts import exchange
from doubles.http_server import HttpDouble
from doubles.plays import Play, compact

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from doubles.contracts import Exchange
    from doubles.http_server import Request, Wire

EVERY_MODEL = ""


@dataclass(slots=True)
class Trouble:
    """What goes wrong with chats, by their number or by what they ask.

    Every `fails_every`-th is answered with `status` and not a byte, as by a gateway whose server
    was gone. At most `limit` run at once; the others are answered with `too_many`. When the chat
    of a number in `leaves_at` has begun to be answered, the server goes away for so many seconds,
    for ever if that is None. A chat with `poison` in its prompt has its connection cut in
    mid-reply; with `dies_for` seconds the whole server goes away for so long.
    """

    fails_every: int = 0
    status: int = 502
    limit: int | None = None
    too_many: Exchange | None = None
    leaves_at: dict[int, float | None] = field(default_factory=dict)
    poison: str = ""
    dies_for: float | None = None


class ChatDouble(HttpDouble):
    """A chat server that plays what it is told to."""

    media = "text/event-stream"
    chat_path = ""

    def __init__(self, models: Iterable[str] = ("llama3-local", "codellama-local")) -> None:
        super().__init__()
        self.names = list(models)
        self.reply_headers: dict[str, str] = {}
        self.trouble = Trouble()
        self.refused: list[Request] = []
        """The chats that were refused because so many ran."""
        self.most_at_once = 0
        self._at_once = 0
        self._begun = 0
        self._plays: dict[str, list[Play]] = {EVERY_MODEL: [Play()]}

    def plays(self, *plays: Play, model: str = EVERY_MODEL, **one: Any) -> None:
        """Set what is played: one reply by its fields, or several in turn, the last for ever."""
        self._plays[model] = [Play(**one)] if one else list(plays)

    @property
    def chats(self) -> list[Request]:
        """The chats that it was asked for."""
        return self.asked(self.chat_path)

    @property
    def answered(self) -> list[Request]:
        """The chats whose whole answer was sent."""
        return [chat for chat in self.chats if chat.answered]

    def next_play(self, model: str) -> Play:
        """Take the play that is on for a model."""
        waiting = self._plays.get(model) or self._plays[EVERY_MODEL]
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]

    def kept(self, request: dict[str, Any]) -> str:
        """Return what this server lets the model read of a prompt."""
        return "\n".join(message["content"] for message in request["messages"])

    def pieces(self, play: Play, request: dict[str, Any]) -> Iterator[bytes]:
        """Yield the streamed body; the first piece ends where the reply's text begins."""
        raise NotImplementedError

    def error_piece(self, play: Play) -> bytes:
        """Return an error as this server puts it into a stream that has begun."""
        raise NotImplementedError

    def refusal(self, play: Play, request: dict[str, Any]) -> str:
        """Return the body with which this server refuses a field that it does not know."""
        del request
        message = f"extra fields not permitted: {play.unbidden}"
        return compact({"error": {"message": message, "type": "invalid_request_error"}})

    async def chat(self, request: Request, wire: Wire) -> None:
        """Perform the play that is on for the model asked for, if no trouble comes before."""
        trouble = self.trouble
        if trouble.limit is not None and self._at_once >= trouble.limit:
            self.refused.append(request)
            told = trouble.too_many or exchange("llama-swap", "concurrency limit")
            await wire.send(told.body, status=told.status, content_type=told.content_type)
            return
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        self._begun += 1
        try:
            if trouble.fails_every and self._begun % trouble.fails_every == 0:
                await wire.send(b"", status=trouble.status, content_type="")
            elif self._begun in trouble.leaves_at:
                seconds = trouble.leaves_at[self._begun]
                await self._break_off(request, wire, seconds, leaves=True)
            elif trouble.poison and trouble.poison.encode() in request.body:
                leaves = trouble.dies_for is not None
                await self._break_off(request, wire, trouble.dies_for, leaves=leaves)
            else:
                await self._perform(request, wire)
        finally:
            self._at_once -= 1

    async def _break_off(
        self, request: Request, wire: Wire, seconds: float | None, *, leaves: bool
    ) -> None:
        """Begin to answer, then cut this connection or all of them."""
        play = self.next_play(str(request.json.get("model")))
        await wire.rest(play.delay) if play.delay else None
        await wire.begin(self.media, self.reply_headers)
        for piece in islice(self.pieces(play, request.json), 2):
            await wire.piece(piece)
        if leaves:
            self.go_away(seconds)
            await wire.rest()
        wire.drop()

    async def _perform(self, request: Request, wire: Wire) -> None:
        asked = request.json
        play = self.next_play(str(asked.get("model")))
        if play.finds:
            play = play.having_read(self.kept(asked), tells_usage=play.prompt_tokens is not None)
        await wire.rest(play.delay) if play.delay else None
        if play.unbidden and play.unbidden in asked:
            await wire.send(self.refusal(play, asked), status=400)
        elif play.body or play.status != 200:
            media = play.content_type or "application/json"
            await wire.send(play.body, status=play.status, content_type=media, headers=play.headers)
        else:
            await self._stream(play, asked, wire)
            request.answered = True

    async def _stream(self, play: Play, asked: dict[str, Any], wire: Wire) -> None:
        await wire.begin(play.content_type or self.media, self.reply_headers)
        sent = 0
        for number, piece in enumerate([play.raw] if play.raw else self.pieces(play, asked)):
            if play.error_after is not None and number == play.error_after:
                await wire.piece(self.error_piece(play))
                break
            if number == play.hangs_after:
                await wire.rest()
            limit = play.cut_after if play.cut_after is not None else play.ends_after
            if limit is not None and sent + len(piece) >= limit:
                await wire.piece(piece[: limit - sent])
                await wire.end() if play.cut_after is None else wire.drop()
                return
            await wire.piece(piece)
            sent += len(piece)
            await wire.rest(play.pause) if play.pause else None
        await wire.end()
