"""The prose and the usual setups of docs/configuration.md."""

from __future__ import annotations

HEAD = """\
# Configuration

**For:** users who write the config file, or look up one of its keys.

This page is generated from the models in `src/spadework/config/` by `make docs`.

Spadework works without any config: the embedded demonstration model answers. To use the servers
that you run,

```console
$ spadework config init --host koala
```

looks for LiteLLM (port 4000), Ollama (11434), llama-swap (8080), LM Studio (1234) and vLLM (8000)
on this machine and on koala, and proposes a config file. `spadework config show` prints every key
with its value and where that comes from, `spadework config check` says everything that is wrong,
and `spadework config path` prints where the file is. A command that changes the file keeps a copy
beside it and names it: `config.toml.bak`, then `config.toml.bak.1` and so on; no earlier copy is
overwritten.

## Which file

The first of these counts; they are not merged.

1. `spadework --config FILE …`: the file must exist.
2. The environment variable `SPADEWORK_CONFIG`: the file that it names must exist.
3. `config.toml` in the folder that the platform has for it: `~/.config/spadework` on Linux
   (`XDG_CONFIG_HOME` counts), `~/Library/Application Support/spadework` on macOS,
   `%LOCALAPPDATA%\\spadework` on Windows. It need not exist.

The file is TOML in UTF-8. A key that is unknown or of the wrong type is an error that names the
file, the line and the key; nothing is guessed or converted. `~` is your home folder, and a relative
path counts from the folder of the config file. The ledger and downloaded models are kept elsewhere:
in the folder that `SPADEWORK_DATA` names, else in the platform's data folder.

## Keys of servers

The config file never contains a key, and no command prints or logs one. The config names the
environment variable (`api_key_env`) or the file (`api_key_file`, its first line) that holds it; the
variable counts first. Tokens of a Claude subscription (`sk-ant-oat…`) are refused. A key file that
other users may read is warned of: `chmod 600` it.

## A project's own file

A project may bring tools in a `.spadework.toml` at its top. A cloned repository is not trusted, so
that file may set `[tools.NAME]` tables and `confidential = true`, and nothing else: no backends, no
keys, no roots. The latter keeps all of the project's material on local models (docs/trust.md). Its
tools

- are answered by local models only; they may name `embedded` and the backends of your own config,
  and without `models` they get every local model;
- may not replace a tool of yours or a default one, nor take a name that looks like theirs:
  capital and small letters count as the same, and so do `0` and `o`, `1`, `i` and `l`, other digits
  and the letters like them, `rn` and `m`, `vv` and `w`, `cl` and `d`; `-` and `_` do not count, nor
  does a letter that is doubled;
- show Claude texts of at most {max_text} characters, without control and hidden characters.

The file may be {max_bytes:,} bytes long with {max_tools} tools in it, and may not be a symlink that
leaves the project. `spadework config check .spadework.toml` looks it over.
"""

SETUPS = {
    "LiteLLM on another machine": (
        """\
One proxy for several models. `api_key_env` names the variable with the proxy's key. In the proxy's
own config, write `ollama_chat/…` rather than `ollama/…`: the latter hides that an answer was cut
off.""",
        """\
[backends.koala]
kind = "litellm"
url = "http://koala:4000"
api_key_env = "LITELLM_API_KEY"

[tools.ask_local_llama]
models = ["koala/llama3-local"]

[tools.ask_coding_model]
models = ["koala/codellama-local", "koala/llama3-local"]
""",
    ),
    "Ollama on this machine": (
        """\
`windows` sets the context window that Ollama is asked for (its `num_ctx`); without it that of the
model as it is loaded counts, or of its Modelfile, or the trained one up to 8192 tokens. Set `slots`
to your `OLLAMA_NUM_PARALLEL`: Ollama does not tell it, so one request at a time for each model is
assumed.""",
        """\
[backends.ollama]
kind = "ollama"
url = "http://127.0.0.1:11434"
slots = 4
windows = { "llama3.1:8b" = 16384 }

[tools.ask_local_llama]
models = ["ollama/llama3.1:8b"]
""",
    ),
    "llama-swap": (
        """\
It loads a model when it is asked for, so the first answer takes longer: `first_token_timeout` is
the patience. What waits is grouped by model; `exclusive = false` says that its groups let models
run side by side.""",
        """\
[backends.swap]
kind = "llama-swap"
url = "http://127.0.0.1:8080"
first_token_timeout = 120

[tools.ask_coding_model]
models = ["swap/qwen2.5-coder-7b"]
""",
    ),
    "The embedded engine alone": (
        "No server at all: any GGUF file. `spadework embedded pull OWNER/REPO FILE` fetches one.",
        """\
[embedded]
model = "~/models/qwen2.5-3b-instruct-q4_k_m.gguf"
context = 8192
""",
    ),
    "A tool of your own": (
        """\
Claude sees the tool under its name, with what it is good for. `labels` makes the answer one of
them.""",
        """\
[backends.koala]
kind = "litellm"
url = "http://koala:4000"

[tools.sort_ticket]
use_for = "sorting support tickets into the four queues"
avoid_for = "deciding what to answer"
models = ["koala/llama3-local", "embedded/*"]
parameters = { ticket = "The ticket's text.", "customer?" = "The customer's plan." }
template = "Customer: {customer}\\nTicket: {ticket}"
labels = ["billing", "bug", "feature", "other"]
max_tokens = 16
""",
    ),
}

# What the complete example shows where the default is nothing to look at.
SAMPLES = {
    "roots": ["~/src", "/srv/docs"],
    "backends.NAME.kind": "litellm",
    "backends.NAME.url": "http://koala:4000",
    "backends.NAME.api_key_env": "LITELLM_API_KEY",
    "backends.NAME.api_key_file": "~/.config/spadework/koala.key",
    "backends.NAME.slots": 4,
    "backends.NAME.model_slots": {"llama3-local": 2},
    "backends.NAME.exclusive": False,
    "backends.NAME.windows": {"llama3-local": 8192},
    "tools.NAME.use_for": "sorting support tickets into queues",
    "tools.NAME.avoid_for": "deciding what to answer",
    "tools.NAME.models": ["koala/llama3-local", "embedded/*"],
    "tools.NAME.parameters": {"ticket": "The ticket's text.", "customer?": "The plan."},
    "tools.NAME.template": "Customer: {customer}\nTicket: {ticket}",
    "tools.NAME.labels": ["billing", "bug", "other"],
    "tools.NAME.least_confidence": 0.3,
    "tools.NAME.verify": "second-model",
    "tools.NAME.verify_model": "koala/llama3-local",
    "embedded.model": "~/models/qwen2.5-3b-instruct-q4_k_m.gguf",
    "embedded.threads": 4,
    "local_models": ["koala/llama3-local"],
    "cloud_models": ["berget/*"],
    "local_hosts": ["llm.example.com"],
    "backends.NAME.trust": "local",
    "[projects].path": "~/clients/*",
    "references.max_memory_bytes": 2_000_000_000,
    "references.private": ["salaries/**", "*.key.md"],
    "ledger.path": "~/spadework/ledger.db",
    "pipelines.engine": "postgresql://spadework@iguana/spadework",
    "pipelines.budget_usd": 2.0,
    "claude_api.api_key_file": "~/.config/spadework/anthropic.key",
    "claude_api.test_url": "http://127.0.0.1:8080",
    "http.listen": "127.0.0.1:8765",
    "http.roots": {"/home/me/src": "/srv/src"},
    "http.allowed_hosts": ["koala.tail1234.ts.net"],
    "http.allowed_origins": ["https://tools.example.com"],
}
SAMPLE_NAMES = {"backends": "koala", "tools": "sort_ticket"}
