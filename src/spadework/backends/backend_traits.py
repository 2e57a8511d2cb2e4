"""What is known of a kind of server before it is asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True, slots=True)
class ProxyErrors:
    """What the errors of a proxy mean that a model server's do not.

    Args:
        proxy: its name for the user.
        server_behind: what its error text contains where a server behind it failed.
        no_key: the status and text of its reply to a request without the key that it wants.
    """

    proxy: str
    server_behind: str
    no_key: tuple[int, str]


@dataclass(frozen=True, slots=True)
class BackendTraits:
    """What is known of one kind; its class has them as `traits`.

    Args:
        start_hint: what to do where nothing answers.
        model_hint: what to do where a model is missing; `{model}` stands for its name.
        default_ports: the ports that such servers listen on, with the server's name for the user.
        slots: how many requests it takes at once, unless it says otherwise.
        slots_per_model: how many of one model; None for as many as `slots`.
        exclusive: whether it holds one model at a time.
        is_proxy: whether the models that it lists may run anywhere.
        proxy_errors: how such a proxy reports the failures of its own and of the servers behind it.
        is_child: whether Spadework runs it: then it has no address to correct and no log to read,
            and the next request starts it anew.
        loaded_models_tell_slots: whether a model tells its slots once it is loaded.
        signature: a path and a test of the reply's text by which a server of this kind is
            recognized; None for the kind that is assumed of all others.
        signature_is_conclusive: whether a server with that sign is of this kind though it lists no
            models.
        key_variables: the environment variables that usually hold its key.
    """

    start_hint: str
    model_hint: str = "name one that it has"
    default_ports: Mapping[int, str] = field(default_factory=dict)
    slots: int = 32
    slots_per_model: int | None = None
    exclusive: bool = False
    is_proxy: bool = False
    proxy_errors: ProxyErrors | None = None
    is_child: bool = False
    loaded_models_tell_slots: bool = False
    signature: tuple[str, Callable[[str], bool]] | None = None
    signature_is_conclusive: bool = False
    key_variables: tuple[str, ...] = ()
