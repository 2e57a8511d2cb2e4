"""`spadework doctor --probe`: a window is proved by the word at its beginning."""

import pytest
from client_homes import SERVER, ClientHome

from doubles.ollama import OllamaDouble
from doubles.openai_compatible import OpenAIDouble
from spadework.claude_code.doctor.window_probe import ProbeReply, _judged

pytestmark = pytest.mark.slow

WORD = r"(?<=secret word is )\w+"
CONFIG = """
[backends.koala]
kind = "{kind}"
url = "{url}"
{windows}
[tools.ask_local_llama]
models = ["koala/{model}"]
use_for = "bulk summarization"

[tools.ask_coding_model]
models = ["koala/{model}"]
use_for = "boilerplate"
"""


@pytest.fixture
def probe(tmp_path, runtime_folder):
    """Probe one model of a double: what is said of its window, then of its speed."""

    def probe(double, model, windows="", *arguments):
        house = ClientHome(tmp_path, runtime_folder)
        # The handshake is no matter here.
        house.register(spadework=SERVER | {"command": "/bin/false"})
        kind = "ollama" if isinstance(double, OllamaDouble) else "openai"
        if windows:
            windows = f'windows = {{ "{model}" = {windows} }}'
        house.config.write_text(
            CONFIG.format(kind=kind, url=double.url, model=model, windows=windows)
        )
        _, found = house.told("doctor", "--probe", *arguments)
        (window,) = found[f"window koala/{model}"]
        speed = found.get(f"speed koala/{model}", [{"severity": "", "what": ""}])[0]
        return (window["severity"], window["what"]), speed["what"]

    return probe


@pytest.mark.parametrize("tokenizer", ["", "llama.cpp"])
def test_a_model_that_reads_all_of_its_window_proves_it(probe, tokenizer):
    with OpenAIDouble(window=4096, tokenizer=tokenizer) as double:
        double.plays(finds=WORD)
        (level, text), speed = probe(double, "llama3-local")
    assert (level, text.startswith("window 4096 proved: the first line of ")) == ("ok", True)
    longest = max(len(chat.json["messages"][0]["content"].split()) for chat in double.chats)
    assert 4096 * 0.85 < longest < 4096
    assert {chat.json["model"] for chat in double.chats} == {"llama3-local"}
    assert "the first token after" in speed


def test_a_server_that_cuts_silently_loses_the_word(probe):
    with OllamaDouble("smollm2", trained=2048, truncates_silently=True) as double:
        double.plays(finds=WORD)
        # The config claims more than the server gives.
        (level, text), _ = probe(double, "smollm2", 4096)
    assert level == "error"
    assert "tokens: the server cuts silently (it read 1026)" in text


def test_a_server_that_refuses_what_is_too_long_tells_its_true_window(probe):
    with OllamaDouble("smollm2", trained=2048) as double:
        double.plays(finds=WORD)
        (level, text), _ = probe(double, "smollm2", 4096)
    assert (level, text) == (
        "error",
        "the server takes 2048 tokens, not the 4096 that are claimed",
    )


def test_an_honest_ollama_proves_its_window(probe):
    with OllamaDouble("smollm2", trained=4096) as double:
        double.plays(finds=WORD)
        (level, text), _ = probe(double, "smollm2")
    assert (level, text.startswith("window 4096 proved")) == ("ok", True)


def test_a_server_that_loses_the_word_and_tells_no_figures_is_not_believed(probe):
    class Cutting(OpenAIDouble):
        def kept(self, request):
            return " ".join(super().kept(request).split()[-1000:])

    with Cutting(window=4096) as double:
        double.plays(finds=WORD, prompt_tokens=None)
        (level, text), _ = probe(double, "llama3-local")
    assert level == "error"
    assert "the word was lost at " in text
    assert "does not say what it read" in text


def test_a_model_too_weak_for_a_short_prompt_proves_nothing(probe):
    with OpenAIDouble(window=2048) as double:
        double.plays(finds="no such words")
        (level, text), _ = probe(double, "llama3-local")
    assert (level, text.startswith("cannot tell: ")) == ("warning", True)


@pytest.mark.parametrize(
    ("model", "key"),
    [
        ("embedded/smollm2", "set a smaller `context` in [embedded] and prove that"),
        ("koala/llama3", '[backends.koala.windows] "llama3" = TOKENS'),
    ],
)
def test_the_cure_for_a_model_that_loses_the_beginning_names_the_key_of_its_window(model, key):
    """What a toy finds depends on the word, so the verdict is asked for itself."""
    short, long = ProbeReply(found=True, read=40), ProbeReply(found=False, read=700)
    verdict = _judged(model, 1024, 700, short, long)
    assert "the model did not find the first line" in verdict.what
    assert verdict.cure.endswith(key)


def test_the_demonstration_model_has_a_cure(tmp_path, runtime_folder, data_with_demo):
    house = ClientHome(tmp_path, runtime_folder)
    house.register(spadework=SERVER | {"command": "/bin/false"})
    house.config.write_text("[embedded]\ncontext = 1024\n")
    _, found = house.told("doctor", SPADEWORK_DATA=str(data_with_demo))
    (tool,) = found["tool ask_local_llama"]
    assert "embedded demo model" in tool["what"]
    assert "spadework embedded pull" in tool["cure"]


def test_a_window_that_nobody_claims_is_not_guessed(probe):
    with OpenAIDouble() as double:
        double.plays(finds=WORD)
        (level, text), speed = probe(double, "llama3-local")
    assert (level, text) == ("warning", "no window is claimed, so there is nothing to prove")
    assert speed


def test_a_model_that_is_chosen_is_the_only_one_asked(probe):
    with OpenAIDouble(window=2048) as double:
        double.plays(finds=WORD)
        (level, _), _ = probe(double, "codellama-local", "", "--model", "koala/codellama-local")
    assert level == "ok"
    assert {chat.json["model"] for chat in double.chats} == {"codellama-local"}


def test_a_server_that_fails_in_the_middle_is_told(probe):
    with OpenAIDouble(window=2048) as double:
        double.plays(status=500, body='{"error":{"message":"out of memory"}}')
        (level, text), _ = probe(double, "llama3-local")
    assert level == "error"
    assert "out of memory" in text
