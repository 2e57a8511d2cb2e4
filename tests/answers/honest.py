"""Honest exchanges, made from the corpus: what a good model could have answered."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

from hypothesis import strategies as st

from spadework.checks.answer_check import AnswerRequirements, GroundingContext, Passage

CORPUS = Path(__file__).parents[1] / "data" / "corpus"
PROSE = ("apache-2.0.txt", "cc0.txt", "attrs.md", "h11.md", "httpx.md", "udhr.en.txt")
CODE = {
    "bisect.py.txt": "python",
    "colorsys.py.txt": "py",
    "settings.yaml": "yaml",
    "settings.toml": "toml",
    "deploy.sh.txt": "bash",
}
TONGUES = {
    "de": "Was steht in diesem Text über die Rechte der Menschen und wie wird das begründet?",
    "fr": "Que dit ce texte sur les droits des êtres humains et sur la liberté dans le monde ?",
    "es": "¿Qué dice este texto sobre los derechos y la libertad de los seres humanos?",
    "ru": "Что говорится в этом тексте о правах и свободах человека?",
    "zh": "这段文字对人的权利和自由说了什么?请用一句话概括。",
    "en": "What does this text say about the rights of people, and what is it that it forbids?",
}
QUESTIONS = (
    "What does this say?",
    "Summarize the file in two sentences.",
    "What is the licence of this project and who is the author?",
    "Which parts matter for somebody who is new to it? Quote them.",
    "Is there anything in this file that could break? Answer briefly.",
)
PLAIN = (
    "The file does not say.",
    "I cannot find the name of the author in the material.",
    "I can't tell from what I was given; it is not mentioned.",
    "No.",
    "42",
    "Sorry, the text does not mention any date.",
    "Unfortunately, the licence is not named in these lines.",
    "I don't see any test in this code.",
    "As an aside, the licence is permissive.",
    "It listens on localhost:8080 and on 10.0.0.7:52114, and koala:4000 is the proxy.",
    "The meeting is at 12:30, the ratio is 16:9, and Matthew 5:9 is quoted elsewhere.",
    "See https://example.org:8443/docs/a.html:12 and the tag python:3.11 for more.",
    "It needs Python >= 3.8 and takes 3.5 s: a, b, c, d, e, f.",
    "| check | result |\n|---|---|\n" + "".join(f"| part {n} | yes |\n" for n in range(40)),
    "0 0 0 0 0 1\n" * 12,
    "- one\n- two\n- three\n- one\n- two\n- three",
    'A better title would be "How to keep a long list in order".',
    'The text never says "you may do whatever you want with it".',
    'It should read "the caller keeps the list sorted all the time" instead.',
    "Use `bisect.insort(a, x, key=lambda item: item.name)` to keep it sorted by name.",
    '`{"a": 1}` is JSON; "a" is a key and "b" is none.',
    'A 5" pipe and a 6" pipe do not fit: the larger one is 1" too wide for it, as it is.',
)
EXTRACTED = (
    ("attrs.md", {"author": "Hynek Schlawack", "email": "hs@ox.cx", "files": 1}),
    ("h11.md", {"email": "NJS@pobox.com", "is_library": True, "version": "0.16.0"}),
    ("httpx.md", {"name": "Tom Christie", "mail": "tom@tomchristie.com", "kind": "library"}),
    ("server.log", {"invoice": "INV-2024-00931", "customer": "jane.doe@example.org", "lines": 3}),
    ("server.log", {"invoice": "inv 2024 00931", "port": 52114, "day": "2026-11-23"}),
    ("server.log", {"summary": "One invoice was rejected.", "errors": 1, "severity": "high"}),
)
TOLD_OF = (
    "The error came from app/server.py:88, when an invoice was rejected.",
    "In app/billing.py:214 charge raised, as server.log:3 says.",
)


@cache
def passage(name: str) -> Passage:
    """A whole file of the corpus."""
    text = (CORPUS / name).read_text("utf-8")
    lines = text.count("\n") + (not text.endswith("\n"))
    return Passage(f"docs/{name}", text, 1, lines)


def asked(task: str, *names: str, **more: object) -> AnswerRequirements:
    """What an answer about these files is held against."""
    return AnswerRequirements(given=GroundingContext(task, tuple(map(passage, names))), **more)


@st.composite
def spans(draw: st.DrawFn, source: Passage) -> tuple[str, int, int]:
    """Some words as they stand in a file, with the lines that they stand in."""
    found = [one.span() for one in re.finditer(r"[^\W_]\S*", source.text)]
    first = draw(st.integers(0, max(0, len(found) - 30)))
    last = min(len(found) - 1, first + draw(st.integers(5, 28)))
    start, end = found[first][0], found[last][1]
    line = source.text.count("\n", 0, start) + 1
    return source.text[start:end], line, line + source.text.count("\n", start, end)


def _reworked(draw: st.DrawFn, text: str) -> str:
    """What a careful writer does to a quotation."""
    text = re.sub(r"[\"“”«»„`]", "'", text).rstrip(".,;: ")
    text = draw(st.sampled_from([text, " ".join(text.split()), text[0].swapcase() + text[1:]]))
    words = " ".join(text.split()).split(" ")
    if len(words) > 14 and draw(st.booleans()):
        cut = draw(st.sampled_from(["…", "...", "[...]", "[…]"]))
        text = " ".join([*words[:5], cut, *words[9:]])
    return re.sub(r"\n\s*\n", "\n", text)


@st.composite
def quoting(draw: st.DrawFn) -> tuple[AnswerRequirements, str]:
    """An answer that quotes and cites."""
    name = draw(st.sampled_from(PROSE))
    source = passage(name)
    text, first, last = draw(spans(source))
    text = _reworked(draw, text)
    place = f"{draw(st.sampled_from([source.path, './' + source.path, name]))}:{first}"
    place += f"-{last}" if draw(st.booleans()) else ""
    place = draw(st.sampled_from([place, f"`{place}`", f"({place})", f"[{place}]"]))
    block = "\n".join(f"> {line}" for line in text.split("\n"))
    answer = draw(
        st.sampled_from(
            [
                f'It says "{text}" {place}.',
                f"At {place} stands: “{text}”.",
                f"The key point is this:\n\n{block}\n\nSee {place}.",
                f"- {place}: «{text}»\n- the rest is detail",
                f"**{text}** is the gist, {place}.",
            ]
        )
    )
    return asked(draw(st.sampled_from(QUESTIONS)), name), answer


@st.composite
def coding(draw: st.DrawFn) -> tuple[AnswerRequirements, str]:
    """An answer that is code, or has some."""
    name = draw(st.sampled_from(sorted(CODE)))
    tag, text = CODE[name], passage(name).text
    if tag in {"python", "py"}:
        parts = re.findall(r"^def .*?(?=^\S|\Z)", text, re.MULTILINE | re.DOTALL)
        text = draw(st.sampled_from([*parts, text]))
    fence = f"```{tag}\n{text.rstrip()}\n```"
    prose = f"This is the part that matters:\n\n{fence}\n\nIt does what its name says."
    return asked("Show me the code.", name), draw(st.sampled_from([fence, prose]))


@st.composite
def telling(draw: st.DrawFn) -> tuple[AnswerRequirements, str]:
    """Plain prose: sentences of the source, or what is said of it."""
    name = draw(st.sampled_from(PROSE))
    text, *_ = draw(spans(passage(name)))
    plain = draw(st.sampled_from(PLAIN))
    task = draw(st.sampled_from(QUESTIONS))
    return asked(task, name), draw(st.sampled_from([text, plain, f"{text}\n\n{plain}"]))


@st.composite
def in_tongues(draw: st.DrawFn) -> tuple[AnswerRequirements, str]:
    """A question and an answer in one language, or in the material's, or a translation."""
    tongue = draw(st.sampled_from(sorted(TONGUES)))
    text = passage(f"udhr.{tongue}.txt").text
    demands = [
        asked(TONGUES[tongue]),
        asked(TONGUES[tongue], "udhr.en.txt"),
        asked(TONGUES["en"], f"udhr.{tongue}.txt"),
        asked("Translate this into the language that I named before.", "udhr.en.txt"),
    ]
    return draw(st.sampled_from(demands)), text


@st.composite
def extracting(draw: st.DrawFn) -> tuple[AnswerRequirements, str]:
    """JSON with data of the source, and with what was worked out."""
    name, data = draw(st.sampled_from(EXTRACTED))
    schema = {
        "type": "object",
        "properties": {key: {} for key in data},
        "additionalProperties": False,
    }
    answer = json.dumps(data, ensure_ascii=False, indent=draw(st.sampled_from([None, 2])))
    fenced = draw(st.booleans())
    answer = f"```json\n{answer}\n```" if fenced else answer
    return asked("Extract the data.", name, schema=schema), answer


@st.composite
def reporting(draw: st.DrawFn) -> tuple[AnswerRequirements, str]:
    """Places that the material itself speaks of."""
    return asked("What went wrong?", "server.log"), draw(st.sampled_from(TOLD_OF))


EXCHANGES = st.one_of(
    quoting(), quoting(), coding(), telling(), telling(), in_tongues(), extracting(), reporting()
)
