"""What people read when they agreed to something, by the name that a consent record keeps of it."""

import re

from django.conf import settings

from apps.followers.models import ConsentWording

_OF_A_FORM = re.compile(r"form-(\d+)/(\d+)/(.*)", re.ASCII)


def words_seen(wording: str) -> str:
    """The sentence that a sign-up form showed, by the name of its wording; "" for other pages."""
    found = _OF_A_FORM.fullmatch(wording)
    if not found:
        return ""
    form, number, language = found.groups()
    kept = ConsentWording.objects.filter(form=int(form), number=int(number)).first()
    if kept is None:
        return ""
    texts = kept.texts.get(language) or kept.texts.get(settings.LANGUAGE_CODE) or {}
    return str(texts.get("consent", ""))
