"""What an author puts into a template at a click: the reader, custom fields, links, variables."""

from collections.abc import Sequence

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import get_language, gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from apps.content.models import Version
from apps.followers.models import CustomField, FieldKind

Words = list[tuple[str, str]]  # what people read, what is inserted

_READER: Sequence[tuple[str | Promise, str]] = (
    (_("First name"), "follower.first_name"),
    (_("Last name"), "follower.last_name"),
    (_("Whole name"), "follower.name"),
    (pgettext_lazy("channel", "Email"), "follower.email"),
    (_("Phone"), "follower.phone"),
    (_("Language"), "follower.language"),
)
_SITE: Sequence[tuple[str | Promise, str]] = (
    (_("Name of the site"), "site.name"),
    (_("Address of the site"), "site.url"),
    (_("Link to the preferences"), "links.preferences"),
    (_("Link to unsubscribe"), "links.unsubscribe"),
    (_("Link to the mail in a browser"), "links.view"),
)


def insertable(version: Version) -> list[tuple[str, Words]]:
    """Give the groups in which an editor shows it."""
    language = get_language() or settings.LANGUAGE_CODE
    fields = [(row.label(language), _of_field(row)) for row in CustomField.objects.all()]
    variables = [(each["name"], _braced(each["name"])) for each in version.variables]
    groups = [
        (gettext("The reader"), _words(_READER)),
        (gettext("Custom fields"), fields),
        (gettext("Variables"), variables),
        (gettext("The site"), _words(_SITE)),
    ]
    return [(name, words) for name, words in groups if words]


def _words(known: Sequence[tuple[str | Promise, str]]) -> Words:
    return [(str(label), _braced(path)) for label, path in known]


def _of_field(field: CustomField) -> str:
    """Write how a field is shown: a date in the reader's language, several values with commas."""
    path = f"follower.metadata.{field.key}"
    if not field.key.isidentifier() or not field.key.isascii():
        path = f'follower.metadata["{field.key}"]'
    match field.kind:
        case FieldKind.DATE:
            path = f'{path} | date: "long"'
        case FieldKind.CHOICES:
            path = f'{path} | join: ", "'
    return _braced(path)


def _braced(path: str) -> str:
    return f"{{{{ {path} }}}}"
