"""Tags: all of them with how many people have each, making and deleting."""

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from apps.accounts.actors import staff_actor
from apps.accounts.permissions import Capability, may, requires
from apps.dashboard.shell.forms import add_refusal, plain_helper
from apps.dashboard.shell.paging import beside
from apps.followers.models import Tag
from apps.followers.people import tagging
from apps.followers.people.tag_sizes import held_by_tag
from apps.followers.profile_fields import BadFollower


class TagForm(forms.Form):
    tags = forms.CharField(label=_("Name of the new tag"), max_length=80)
    helper = plain_helper()


@requires(Capability.VIEW)
def index(request: HttpRequest) -> HttpResponse:
    if request.method == "POST" and not may(request.user, Capability.EDIT):
        raise PermissionDenied(gettext("Your role does not include making tags."))
    form = TagForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            tag = tagging.create_tag(
                name=form.cleaned_data["tags"], by=staff_actor(request), now=timezone.now()
            )
        except BadFollower as error:
            add_refusal(form, error)
        else:
            said = gettext("The tag {tag} is made. Put it on people from the list of followers.")
            messages.success(request, said.format(tag=tag))
            return redirect("dashboard:tags")
    tags = list(Tag.objects.all())
    held = held_by_tag()
    for tag in tags:
        beside(tag, held=held[tag.pk])
    return render(request, "dashboard/audience/tags/list.html", {"tags": tags, "form": form})


@requires(Capability.EDIT)
@require_POST
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    tag = Tag.objects.filter(pk=pk).first()
    if tag is None:
        messages.info(request, gettext("That tag was deleted already."))
    else:
        tagging.delete_tag(tag=tag, by=staff_actor(request), now=timezone.now())
        said = gettext("The tag {tag} is deleted and taken off everybody.")
        messages.success(request, said.format(tag=tag.name))
    return redirect("dashboard:tags")


urlpatterns = [
    path("tags/", index, name="tags"),
    path("tags/<int:pk>/delete/", delete, name="tag-delete"),
]
