"""What is known of a kind of server before it is asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True, slots=True)
class KindFacts:
    """The facts of one kind; its class has them as `facts`.

    Args:
        start_hint: what to do where nothing answers.
        model_hint: what to do where a model is missing; `{model}` stands for its name.
        usual_ports: the ports that such servers listen on, with the server's name for the user.
        slots: how many requests it takes at once, unless it says otherwise.
        slots_per_model: how many of one model; None for as many as `slots`.
        exclusive: whether it holds one model at a time.
        is_proxy: whether the models that it lists may run anywhere.
        loaded_models_tell_slots: whether a model tells its slots once it is loaded.
        signature: a path and a test of the reply's text by which a server of this kind is
            recognized; None for the kind that is assumed of all others.
        signature_suffices: whether a server with that sign is of this kind though it lists no
            models.
        key_variables: the environment variables that usually hold its key.
    """

    start_hint: str
    model_hint: str = "name one that it has"
    usual_ports: Mapping[int, str] = field(default_factory=dict)
    slots: int = 32
    slots_per_model: int | None = None
    exclusive: bool = False
    is_proxy: bool = False
    loaded_models_tell_slots: bool = False
    signature: tuple[str, Callable[[str], bool]] | None = None
    signature_suffices: bool = False
    key_variables: tuple[str, ...] = ()
