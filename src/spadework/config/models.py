"""The config file as typed models: the only home of a default.

docs/configuration.md is generated from here: every field carries its description.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from spadework.config.backend_kinds import BackendKind
from spadework.config.http_config import HttpConfig
from spadework.config.pipeline_config import ClaudeApiConfig, PipelinesConfig
from spadework.config.tool_config import (
    ASK_CODING_MODEL,
    ASK_LOCAL_LLAMA,
    DEFAULT_TOOLS,
    OPTIONAL_MARK,
    PLACEHOLDER,
    ToolConfig,
)
from spadework.config.validators import (
    ConfigPath,
    ConfigSection,
    http_address,
    local_host,
    misfits,
    no_such,
    plain_names,
    variable_name,
)

__all__ = [
    "ASK_CODING_MODEL",
    "ASK_LOCAL_LLAMA",
    "DEFAULT_TOOLS",
    "EMBEDDED",
    "OPTIONAL_MARK",
    "PLACEHOLDER",
    "TAKEN_BACKENDS",
    "TAKEN_TOOLS",
    "BackendConfig",
    "BackendKind",
    "ClaudeApiConfig",
    "Config",
    "ConfigSection",
    "DaemonConfig",
    "EmbeddedConfig",
    "HttpConfig",
    "LedgerConfig",
    "PipelinesConfig",
    "ProjectConfig",
    "ProjectRule",
    "QueueConfig",
    "ReferencesConfig",
    "ToolConfig",
]

EMBEDDED = "embedded"
TAKEN_BACKENDS = {EMBEDDED: "is the name of the embedded engine; choose another"}
_OWN_TOOL = "is a tool of Spadework's own; choose another name"
TAKEN_TOOLS = {"list_available_local_models": _OWN_TOOL, "ask_each": _OWN_TOOL}

ToolTables = Annotated[dict[str, ToolConfig], plain_names(TAKEN_TOOLS)]


class BackendConfig(ConfigSection):
    """A server that runs models."""

    kind: BackendKind
    """What the server is. `openai` fits any OpenAI-compatible server (vLLM, LM Studio,
    llama-server, …)."""

    url: Annotated[str, AfterValidator(http_address)]
    """Its address, such as `http://koala:4000`. A trailing `/v1` is allowed and makes no
    difference."""

    api_key_env: Annotated[str, AfterValidator(variable_name)] | None = None
    """The environment variable that holds the key. This file never contains the key itself."""

    api_key_file: ConfigPath | None = None
    """A file whose first line is the key. Used where `api_key_env` is not set or is empty."""

    trust: Literal["local", "cloud"] | None = None
    """`cloud` if whatever is sent there leaves your machines. `local` if the server is yours though
    its address looks public; the routes of a proxy are judged all the same. Empty: judged for each
    model (docs/trust.md)."""

    connect_timeout: float = Field(default=3.0, gt=0)
    """Seconds to wait for the connection."""

    first_token_timeout: float = Field(default=300.0, gt=0)
    """Seconds to wait for the first token. Loading a large model counts; waiting in our own queue
    does not."""

    idle_timeout: float = Field(default=300.0, gt=0)
    """Seconds to wait between tokens."""

    slots: int | None = Field(default=None, ge=1, le=1024)
    """Requests at once. Empty: what the server tells (llama-server, and llama-swap of the models
    that run), else 1 for each model of Ollama, 8 for llama-swap and 32 for other servers. A 429
    lowers it for as long as that holds."""

    model_slots: dict[str, Annotated[int, Field(ge=1, le=1024)]] = {}
    """Requests at once for single models, by name, where it differs."""

    exclusive: bool | None = None
    """Whether it holds one model at a time, so that another one means a swap: what waits is then
    grouped by model. Empty: learnt from what llama-swap and Ollama tell of their loaded models;
    llama-swap is taken for exclusive until it shows two."""

    windows: dict[str, Annotated[int, Field(gt=0)]] = {}
    """Context windows in tokens by model name, where the server does not tell the true one.
    For Ollama it is also the `num_ctx` that is asked for."""


class EmbeddedConfig(ConfigSection):
    """The embedded engine: a small model that runs in a child process, with no server."""

    model: ConfigPath | None = None
    """A GGUF file. Empty: the demonstration model that `spadework embedded install` fetched."""

    context: int = Field(default=4096, ge=512)
    """The context window of each slot, in tokens."""

    slots: int = Field(default=2, ge=1, le=64)
    """How many requests run at once."""

    threads: int | None = Field(default=None, ge=1)
    """CPU threads. Empty: one less than the machine has."""

    start_timeout: float = Field(default=120.0, gt=0)
    """Seconds that loading the model may take."""

    idle_stop: float = Field(default=600.0, ge=0)
    """Seconds without a request after which the engine ends; the next request starts it.
    0: never."""


class ReferencesConfig(ConfigSection):
    """What may be read by reference, and how much."""

    max_file_bytes: int = Field(default=2_000_000, gt=0)
    """The largest file that is read."""

    max_total_bytes: int = Field(default=8_000_000, gt=0)
    """The most that one call reads."""

    max_files: int = Field(default=500, gt=0)
    """The most files that one call reads."""

    convert: list[Literal["pdf", "docx", "pptx", "epub", "html", "ipynb"]] = [
        "pdf",
        "docx",
        "pptx",
        "epub",
        "html",
        "ipynb",
    ]
    """Documents that are converted to Markdown, with the extra `documents`. Without `html` and
    `ipynb` in the list these are read as they are."""

    max_document_bytes: int = Field(default=50_000_000, gt=0)
    """The largest document that is converted. `max_file_bytes` holds for its text."""

    convert_seconds: float = Field(default=60.0, gt=0)
    """The time in which all documents of one call must be converted."""

    max_memory_bytes: int | None = Field(default=None, ge=256 << 20)
    """The memory that all processes which take documents and programs apart may have together,
    over all windows and commands of the user. What comes then waits. Empty: a quarter of the
    machine's, from 1 to 4 GiB. One process takes at most 2 GiB of it."""

    private: list[str] = []
    """Patterns (as in .gitignore) of files that go to local models only."""


class ProjectRule(ConfigSection):
    """A folder, or several, whose material goes to local models only."""

    path: ConfigPath
    """The folder, such as `~/clients/acme`; `*` stands for any name, as in `~/clients/*`. It holds
    for everything below."""

    confidential: bool = True
    """Whether it goes to local models only. A project's own file can say so too, and cannot take
    it back."""


class LedgerConfig(ConfigSection):
    """The record of every delegation."""

    path: ConfigPath | None = None
    """The SQLite file. Empty: `ledger.db` in the data folder."""


class CacheConfig(ConfigSection):
    """Answers that were given before, for questions to many items (`ask_each`)."""

    enabled: bool = True
    """Whether the same question about the same content is answered from what was answered
    before."""

    max_bytes: int = Field(default=200_000_000, ge=0)
    """The most that the answers take; what was not used for longest goes first."""


class EachConfig(ConfigSection):
    """One question about many files or items: `ask_each`."""

    max_items: int = Field(default=5000, ge=1)
    """The most items of one call."""

    at_once: int = Field(default=32, ge=1, le=256)
    """How many items wait for a slot or have one at the same time."""


class QueueConfig(ConfigSection):
    """How calls wait for a slot. One queue serves every window."""

    max_wait: float = Field(default=120.0, gt=0)
    """Seconds that a model's requests stand back while a server that holds one model at a time
    serves another one, and that batch work stands back behind questions."""

    interactive_patience: float = Field(default=20.0, gt=0)
    """Seconds: on a server that holds one model at a time, a question to another model interrupts
    batch work at most once in so long; then the batch goes on."""

    patience: float = Field(default=1800.0, ge=0)
    """Seconds that a row of batch work waits for a server that is away or a model that is
    suspended, but never longer than the tool's `deadline`. 0: not at all, as for a question."""

    max_waiting: int = Field(default=2000, ge=1)
    """The most requests that wait, over all sessions; further ones are refused as busy."""

    max_waiting_per_session: int = Field(default=1000, ge=1)
    """The most requests of one kind that wait for one session."""


class DaemonConfig(ConfigSection):
    """The daemon: the one process behind every Claude Code window."""

    idle_stop: float = Field(default=1800.0, ge=0)
    """Seconds without a connection after which it stops; the next window starts it. 0: never."""


class Config(ConfigSection):
    """The whole config file."""

    roots: list[ConfigPath] = []
    """Folders that may be read by reference, besides the project folder of the client."""

    local_models: list[str] = []
    """Models that run on your own machines where nothing else tells that: `backend/model`, or a
    pattern such as `koala/*`. A pattern does not overrule a route that is known to lead to a cloud;
    the full name of a model does."""

    cloud_models: list[str] = []
    """Models that do not run on your own machines: `backend/model`, a model's own name, or a
    pattern such as `berget/*`. This takes precedence over everything else."""

    local_hosts: list[Annotated[str, AfterValidator(local_host)]] = []
    """Hosts that are yours though they do not look like it: `llm.example.com`, `*.example.com`, or
    a network such as `203.0.113.0/24`."""

    backends: Annotated[dict[str, BackendConfig], plain_names(TAKEN_BACKENDS)] = {}
    """The servers, by a name of your choice: `[backends.koala]`."""

    tools: ToolTables = {}
    """The tools, by name: `[tools.ask_local_llama]`. The two default tools are always there;
    what you do not set of them stays as it is."""

    projects: list[ProjectRule] = []
    """Folders with rules of their own: `[[projects]]`."""

    embedded: EmbeddedConfig = EmbeddedConfig()
    references: ReferencesConfig = ReferencesConfig()
    ledger: LedgerConfig = LedgerConfig()
    cache: CacheConfig = CacheConfig()
    each: EachConfig = EachConfig()
    queue: QueueConfig = QueueConfig()
    daemon: DaemonConfig = DaemonConfig()
    http: HttpConfig = HttpConfig()
    pipelines: PipelinesConfig = PipelinesConfig()
    claude_api: ClaudeApiConfig = ClaudeApiConfig()

    @field_validator("tools", mode="before")
    @classmethod
    def _default_tools_keep_what_is_not_set(cls, tools: object) -> object:
        if not isinstance(tools, dict):
            return tools
        return {
            name: {**DEFAULT_TOOLS[name].model_dump(exclude_unset=True), **given}
            if name in DEFAULT_TOOLS and isinstance(given, dict)
            else given
            for name, given in tools.items()
        }

    @model_validator(mode="after")
    def _tools_name_known_backends(self) -> Self:
        known = [*self.backends, EMBEDDED]
        named = [
            (path, model)
            for name, tool in self.tools.items()
            for path, model in (
                *((("tools", name, "models", place), one) for place, one in enumerate(tool.models)),
                (("tools", name, "verify_model"), tool.verify_model),
            )
            if model
        ]
        # A pattern may begin with a star, or mean models of several backends.
        named += [
            (("local_models", place), one)
            for place, one in enumerate(self.local_models)
            if "*" not in one.partition("/")[0]
        ]
        misfits(
            (path, no_such("backend", backend, known))
            for path, model in named
            if (backend := model.partition("/")[0]) not in known
        )
        return self

    def all_tools(self) -> dict[str, ToolConfig]:
        """The default tools and the user's, by name, the user's own definition first."""
        return DEFAULT_TOOLS | self.tools


class ProjectConfig(ConfigSection):
    """A project's `.spadework.toml`: it may add tools, and say that it is confidential."""

    confidential: bool = False
    """Whether the project's material goes to local models only. What your own config says is
    confidential stays so."""

    tools: ToolTables = {}
    """Tools for this project, by a name of 1 to 64 letters, digits, '-' and '_':
    `[tools.sort_ticket]`. They may not replace a tool of the user's."""
