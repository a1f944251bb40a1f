"""Hold what somebody says about a follower, and check it before it is written."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings

from apps.followers import profile_fields
from apps.followers.addresses import CHANNEL_OF, normalise
from apps.followers.fields.fitting import KnownFields, fitted
from apps.lib.partial import UNSET, Unset, given, merged

Place = tuple[str, str]  # (value, key) of an address, as `normalise` gives them


TEXTS = (
    "email",
    "phone",
    "name",
    "first_name",
    "last_name",
    "external_id",
    "language",
    "time_zone",
)


def _language(tag: str) -> str:
    return profile_fields.language(tag) or settings.LANGUAGE_CODE


_CHECKED: dict[str, Callable[[Any], Any]] = {
    "name": profile_fields.name,
    "first_name": profile_fields.first_name,
    "last_name": profile_fields.last_name,
    "external_id": profile_fields.external_id,
    "language": _language,
    "time_zone": profile_fields.time_zone,
    "measured": bool,
    "metadata": profile_fields.metadata,
}


@dataclass(frozen=True, slots=True)
class Profile:
    """What is said about a follower; UNSET where nothing is said, empty text for "none".

    `name` is the whole name; it is put together from its parts where nobody said it. `language` ""
    is the site's, `time_zone` "" follows the site's.
    """

    email: str | Unset = UNSET
    phone: str | Unset = UNSET
    name: str | Unset = UNSET
    first_name: str | Unset = UNSET
    last_name: str | Unset = UNSET
    external_id: str | Unset | None = UNSET
    language: str | Unset = UNSET
    time_zone: str | Unset = UNSET
    measured: bool | Unset = UNSET
    tags: Iterable[str] | Unset = UNSET  # names; the whole set
    metadata: Mapping[str, Any] | Unset = UNSET  # the whole object
    # laid over what is there, key by key; None removes one
    metadata_changes: Mapping[str, Any] | Unset = UNSET

    def columns(self) -> dict[str, Any]:
        """Give what is said of the follower's own row, tidied. Raises BadFollower, UnknownZone."""
        said = given(self)
        return {name: check(said[name]) for name, check in _CHECKED.items() if name in said}

    @property
    def says_metadata(self) -> bool:
        return self.metadata is not UNSET or self.metadata_changes is not UNSET

    def metadata_over(
        self, before: Mapping[str, Any], fields: KnownFields | None = None
    ) -> dict[str, Any]:
        """Give the metadata that come of what is said of it, each value as its field keeps it.

        `before` is empty for a newcomer. Raises BadFollower.
        """
        fields = fields or KnownFields()
        result = dict(before)
        if self.metadata is not UNSET:
            said = profile_fields.metadata(self.metadata)
            fit = fitted(said, before=before, fields=fields)
            emptied = {key for key in fit if fit[key] is None and said[key] is not None}
            result = {key: value for key, value in fit.items() if key not in emptied}
        if self.metadata_changes is not UNSET:
            said = profile_fields.metadata(self.metadata_changes)
            result = merged(result, fitted(said, before=before, fields=fields))
        return profile_fields.metadata(result)

    def places(self) -> dict[str, Place | None]:
        """Give what is said of "email" and "phone"; None takes one away. Raises BadAddress."""
        said = given(self)
        places: dict[str, Place | None] = {}
        for name, channel in CHANNEL_OF.items():
            if name not in said:
                continue
            places[name] = None
            if said[name].strip():
                places[name] = normalise(channel, said[name])
        return places

    def tag_names(self) -> list[str] | None:
        """Give the tags' names, tidied; None when nothing is said of tags. Raises BadFollower."""
        if self.tags is UNSET:
            return None
        return profile_fields.tag_names(self.tags)

    def without_empty(self) -> "Profile":
        """Leave out each text that is empty, so that it changes nothing."""
        said = given(self)
        empty: dict[str, Any] = {}
        for name in TEXTS:
            text = said.get(name)
            if text is None or not text.strip():
                empty[name] = UNSET
        return replace(self, **empty)
