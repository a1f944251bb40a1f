"""Layouts: the frames around emails, edited beside a preview with sample words."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from apps.accounts.actors import staff_actor
from apps.accounts.permissions import Capability, may, requires
from apps.content.layouts import save_layout
from apps.content.models import Layout, Version
from apps.content.problems import NotPublishable, RenderError
from apps.content.render import Compiled
from apps.dashboard.content.preview import SOME_TYPE
from apps.dashboard.content.template_forms import source_area
from apps.dashboard.shell.forms import KeyField
from apps.followers.models import Channel, Follower, NotificationType
from apps.lib.network.strangers_page import framed
from apps.notifications.messages.person import preview_context

START = """<!doctype html>
<html lang="{{ content.language }}">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{ content.subject }}</title>
</head>
<body>
{{ content }}
<p><a href="{{ links.preferences }}">Your settings</a>{% if links.unsubscribe != "" %}
  · <a href="{{ links.unsubscribe }}">Unsubscribe</a>{% endif %}</p>
<p>{{ site.name }}, {{ site.address }}</p>
</body>
</html>
"""


def _sample() -> dict[str, str]:
    """Give an email's parts to look at in a layout, in the language of the page."""
    html = gettext(
        "<h1>A headline</h1><p>Hello {{ follower.first_name }}, this is a paragraph as long as "
        "they usually are: two or three sentences, and then a link to "
        "<a href='https://example.com/'>read more</a>.</p>"
        "<ul><li>One thing</li><li>Another thing</li></ul>"
    )
    return {
        "subject": gettext("How a message looks in this layout"),
        "preheader": gettext("The grey line after the subject."),
        "html": html,
        "text": gettext("Hello {{ follower.first_name }}, this is a paragraph."),
    }


class LayoutForm(forms.Form):
    name = forms.CharField(max_length=100, label=_("Name"))
    html = forms.CharField(
        label="HTML",
        strip=False,
        widget=source_area(24),
        help_text=_("Liquid, with {{ content }} where the words go."),
    )
    text = forms.CharField(
        label=_("Plain text"),
        strip=False,
        required=False,
        widget=source_area(6),
        help_text=_("Left empty, it is made from the HTML."),
    )


class NewLayoutForm(LayoutForm):
    key = KeyField(
        max_length=60,
        label=_("Key"),
        help_text=_("What API clients call it. It can't be changed later."),
    )
    field_order = ["name", "key"]

    def clean_key(self) -> str:
        key: str = self.cleaned_data["key"]
        if Layout.objects.filter(key=key).exists():
            said = gettext("There is already a layout with the key {key}. Choose another key.")
            raise forms.ValidationError(said.format(key=key))
        return key


@requires(Capability.VIEW)
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    rows = Layout.objects.all()
    return render(request, "dashboard/content/layouts/list.html", {"rows": rows})


@requires(Capability.EDIT)
def create(request: HttpRequest) -> HttpResponse:
    form = NewLayoutForm(request.POST or None, initial={"html": START})
    if request.method == "POST" and form.is_valid():
        layout = _saved(request, form, form.cleaned_data["key"])
        if layout:
            return redirect("dashboard:layout", layout.key)
    return render(request, "dashboard/content/layouts/edit.html", {"form": form})


@requires(Capability.VIEW)
def edit(request: HttpRequest, key: str) -> HttpResponse:
    """Everybody may look; only editors may save."""
    layout = get_object_or_404(Layout, key=key)
    editing = may(request.user, Capability.EDIT)
    data = None
    if request.method == "POST" and editing:
        data = request.POST
    initial = {"name": layout.name, "html": layout.html, "text": layout.text}
    form = LayoutForm(data, initial=initial)
    if not editing:
        for field in form.fields.values():
            field.disabled = True
    if form.is_bound and form.is_valid() and _saved(request, form, key):
        return redirect("dashboard:layout", key)
    context = {"form": form, "layout": layout, "editing": editing}
    return render(request, "dashboard/content/layouts/edit.html", context)


def _saved(request: HttpRequest, form: Any, key: str) -> Layout | None:
    """The saved layout, or None with the problems at their fields."""
    values = form.cleaned_data
    html = values["html"].replace("\r\n", "\n")
    text = values["text"].replace("\r\n", "\n")
    try:
        layout = save_layout(
            key=key,
            name=values["name"],
            html=html,
            text=text,
            by=staff_actor(request),
            now=timezone.now(),
        )
    except NotPublishable as error:
        for problem in error.problems:
            part = problem.where.removeprefix("layout.")
            field = None
            if part in form.fields:
                field = part
            said = problem.message
            if problem.line:
                line = gettext("Line {line}").format(line=problem.line)
                said = f"{line}: {said}"
            form.add_error(field, said)
        return None
    said = gettext(
        "{name} is saved. What is published already keeps the layout it was published with."
    )
    messages.success(request, said.format(name=layout.name))
    return layout


@requires(Capability.VIEW)
@require_safe
@framed
def frame(request: HttpRequest, key: str) -> HttpResponse:
    """The layout around sample words, for a made-up follower."""
    layout = get_object_or_404(Layout, key=key)
    language = get_language() or settings.LANGUAGE_CODE
    somebody = Follower(name="Alex Example", language=language)
    values = preview_context(somebody, NotificationType(**SOME_TYPE), {})
    try:
        compiled = Compiled(Version(layout=layout), words={language: {"email": _sample()}})
        shown = compiled.render(Channel.EMAIL, language, values)
    except RenderError as error:
        return HttpResponse(str(error), content_type="text/plain; charset=utf-8")
    return HttpResponse(shown.parts["html"])


urlpatterns = [
    path("layouts/", index, name="layouts"),
    path("layouts/add/", create, name="layout-new"),
    path("layouts/<slug:key>/edit/", edit, name="layout"),
    path("layouts/<slug:key>/frame/", frame, name="layout-frame"),
]
