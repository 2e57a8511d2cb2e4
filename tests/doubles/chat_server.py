"""What the doubles of all chat servers share: which play is on for a model, and performing it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from doubles.http_server import HttpDouble
from doubles.plays import Play, compact

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from doubles.http_server import Request, Wire

EVERY_MODEL = ""


class ChatDouble(HttpDouble):
    """A chat server that plays what it is told to."""

    media = "text/event-stream"
    chat_path = ""

    def __init__(self, models: Iterable[str] = ("llama3-local", "codellama-local")) -> None:
        super().__init__()
        self.names = list(models)
        self.reply_headers: dict[str, str] = {}
        self._plays: dict[str, list[Play]] = {EVERY_MODEL: [Play()]}

    def plays(self, *plays: Play, model: str = EVERY_MODEL, **one: Any) -> None:
        """Set what is played: one reply by its fields, or several in turn, the last for ever."""
        self._plays[model] = [Play(**one)] if one else list(plays)

    @property
    def chats(self) -> list[Request]:
        """The chats that it was asked for."""
        return self.asked(self.chat_path)

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
        """Perform the play that is on for the model asked for."""
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
