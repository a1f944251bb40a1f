"""Editing a thing by form: one way for adding and changing, with what was refused beside its
field.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from apps.dashboard.shell.forms import add_refusal
from apps.lib.refusals import Refused

Thing = TypeVar("Thing")


def kept(form: forms.Form, save: Callable[[], Thing]) -> Thing | None:
    """Call `save`, which gives the form's values to an act, and answer what it made.

    None: the act refused, and the form says why.
    """
    try:
        return save()
    except Refused as error:
        add_refusal(form, error)
        return None


def edit_page(
    request: HttpRequest,
    form: forms.Form,
    template: str,
    context: dict[str, Any],
    *,
    save: Callable[[], Thing],
    done: Callable[[Thing], HttpResponse],
) -> HttpResponse:
    """Show the form, or save it and go on.

    `save` gives the form's values to an act and answers the thing, as for `kept`; `done` says so
    to the user and leads on. `context`: what the template needs beside `form`.
    """
    if request.method == "POST" and form.is_valid():
        thing = kept(form, save)
        if thing is not None:
            return done(thing)
    return render(request, template, {"form": form, **context})
