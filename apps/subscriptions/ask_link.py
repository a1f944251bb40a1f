"""The page where people who lost their link ask for it; nobody learns from it who is known here."""

from django import forms
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from apps.followers.addresses import BadAddress, normalise
from apps.followers.models import Address, Channel
from apps.lib.queue.announce import announce, waiting
from apps.lib.queue.lanes import Lane
from apps.subscriptions.public import posted, public_page, show

# More unanswered requests than people make: the rest get the same page and no mail,
# and other mail keeps its lane.
_CROWD = 200
_NO_ADDRESS = _(
    "This does not look like an email address. It needs an @, such as name@example.com."
)


class AskForm(forms.Form):
    """The address somebody wants the link for."""

    email = forms.CharField(
        label=_("Your email address"),
        max_length=320,
        widget=forms.EmailInput(attrs={"autocomplete": "email", "class": "form-control"}),
        error_messages={"required": _("Type the address our messages come to.")},
    )

    def clean_email(self) -> str:
        try:
            return normalise(Channel.EMAIL, self.cleaned_data["email"])[1]
        except BadAddress:
            raise forms.ValidationError(_NO_ADDRESS) from None


@public_page
@require_http_methods(["GET", "HEAD", "POST"])
def ask(request: HttpRequest) -> HttpResponse:
    """Answer alike for every address, in words, status and work: one look-up and one task."""
    if request.method != "POST":
        return show(request, "ask_link", {"form": AskForm()})
    form = AskForm(posted(request))
    if not form.is_valid():
        return show(request, "ask_link", {"form": form}, status=400)
    found = Address.objects.filter(
        channel=Channel.EMAIL, key=form.cleaned_data["email"]
    ).values_list("follower", flat=True)
    follower_id = found.first() or 0
    if waiting(Lane.TRANSACTIONAL) < _CROWD:
        announce(
            "apps.subscriptions.mail_link.send", lane=Lane.TRANSACTIONAL, follower_id=follower_id
        )
    return show(request, "link_sent", {})
