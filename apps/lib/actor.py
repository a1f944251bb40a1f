"""Who acts: carried as `by=` through every act and written into every fact."""

from dataclasses import dataclass
from enum import StrEnum


class ActorKind(StrEnum):
    STAFF = "staff"
    API_KEY = "api_key"
    FOLLOWER = "follower"
    COMMAND = "command"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: `id` is the public id of the acting row ('' for the system), `label` what people
    read in the history.
    """

    kind: ActorKind
    id: str = ""
    label: str = ""
    ip: str = ""


SYSTEM = Actor(ActorKind.SYSTEM, label="Carillon")


def command(name: str) -> Actor:
    """The actor of a `manage.py` command."""
    return Actor(ActorKind.COMMAND, id=name, label=f"manage.py {name}")
