"""The page with a sign-up form, and the answers to whoever sends it: a browser that shows our
page, one that shows another site's, and the script of that site (static/carillon/sign-up.js).
"""

from typing import Any

from django import forms
from django.conf import settings
from django.db import transaction
from django.http import FileResponse, HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import get_object_or_404
from django.utils import timezone, translation
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_safe

from apps.followers.addresses import BadAddress, normalise
from apps.followers.fields.inputs import Asked
from apps.followers.models import Channel, SignUpForm
from apps.followers.profile_fields import BadFollower
from apps.followers.sign_up.ask import Answers, FormClosed, Place, TooManySignUps, sign_up
from apps.followers.sign_up.questions import LONGEST, BadAnswer
from apps.lib.network.client_ip import client_ip
from apps.lib.refusals import Refused
from apps.subscriptions.public import posted, public_page, show
from apps.subscriptions.sign_up import mail, work
from apps.subscriptions.sign_up.words import choices_of, ink_on, lines_of, texts_of

# A field that people don't see. A robot fills it in, now and then a password manager, too: whoever
# does is asked for one more press, and not turned away.
TRAP = "website"


class _Choices(forms.MultipleChoiceField):
    """What people tick. What the form does not offer any more is passed over, not refused."""

    def valid_value(self, value: Any) -> bool:
        return True


class JoinForm(forms.Form):
    """What somebody types: the address, the form's questions, and what they choose of its types."""

    email = forms.CharField(
        label=_("Your email address"),
        max_length=320,
        widget=forms.EmailInput(attrs={"autocomplete": "email", "class": "form-control"}),
        error_messages={"required": _("Type your email address.")},
    )

    def __init__(self, data: QueryDict | None = None, *, row: SignUpForm) -> None:
        super().__init__(data)
        self.lines = lines_of(row)
        self.choices = choices_of(row)
        self.fields["types"] = _Choices(required=False)
        for line in self.lines:
            if line.custom:
                self.fields[line.key] = Asked(line.custom, label=line.label, required=line.required)
                continue
            widget = forms.TextInput(
                {"class": "form-control", "autocomplete": _AUTOCOMPLETE.get(line.key, "off")}
            )
            self.fields[line.key] = forms.CharField(
                label=line.label, required=line.required, max_length=LONGEST, widget=widget
            )

    def asked(self) -> list[forms.BoundField]:
        """The fields of the questions, for the template."""
        return [self[line.key] for line in self.lines]

    def clean_email(self) -> str:
        try:
            return normalise(Channel.EMAIL, self.cleaned_data["email"])[0]
        except BadAddress:
            said = gettext("This is no email address. It needs an @, such as name@example.com.")
            raise forms.ValidationError(said) from None

    def problems(self) -> dict[str, list[str]]:
        """The refusals by field, as the script shows them."""
        return {name: [str(each) for each in said] for name, said in self.errors.items()}


_AUTOCOMPLETE = {"name": "name", "first_name": "given-name", "last_name": "family-name"}


@public_page
@require_http_methods(["GET", "HEAD", "POST"])
def join(request: HttpRequest, key: str) -> HttpResponse:
    """Show the form, or take it: 200 with a page that says where to look now, or a redirect to the
    site's own; JSON for a script.
    """
    row = get_object_or_404(SignUpForm, key=key)
    if request.method != "POST":
        if not row.active:
            return _page(request, row, "closed", status=410)
        return _page(request, row, "form", form=JoinForm(row=row))
    sent = posted(request)
    form = JoinForm(sent, row=row)
    if not form.is_valid():
        return _refused(request, row, form)
    worked = _worked(row, sent)
    if not _pressed(row, sent) and (sent.get(TRAP) or not worked):
        return _one_more_press(request, row, form, sent)
    try:
        _keep(request, row, form, sent, proven=worked)
    except Refused as error:
        place = None
        if error.field in form.fields:
            place = error.field
        form.add_error(place, error.sentence)
        status = 400
        if isinstance(error, TooManySignUps):
            status = 429
        elif isinstance(error, FormClosed):
            status = 410
        return _refused(request, row, form, status=status)
    return _thanks(request, row, sent)


@public_page
@require_safe
def puzzle(request: HttpRequest, key: str) -> HttpResponse:
    """Give the script something to work on."""
    row = get_object_or_404(SignUpForm, key=key)
    made = work.puzzle(row.key, now=timezone.now())
    return _json({"puzzle": made, "bits": work.BITS})


@require_safe
def script(request: HttpRequest) -> FileResponse:
    """The script for other sites' pages, at an address that stays."""
    path = settings.BASE_DIR / "static" / "carillon" / "sign-up.js"
    response = FileResponse(path.open("rb"), content_type="text/javascript; charset=utf-8")
    response["Cache-Control"] = "max-age=3600"
    response["Access-Control-Allow-Origin"] = "*"
    return response


def _pressed(row: SignUpForm, sent: QueryDict) -> bool:
    return work.is_pressed(form=row.key, step=sent.get("step", ""), now=timezone.now())


def _worked(row: SignUpForm, sent: QueryDict) -> bool:
    return work.is_solved(
        form=row.key,
        puzzle=sent.get("puzzle", ""),
        email=sent.get("email", "").strip(),
        solution=sent.get("solution", ""),
        now=timezone.now(),
    )


def _keep(
    request: HttpRequest, row: SignUpForm, form: JoinForm, sent: QueryDict, *, proven: bool
) -> None:
    typed = form.cleaned_data
    language = sent.get("language", "") or translation.get_language()
    answers = Answers(
        email=typed["email"],
        language=language,
        types=sent.getlist("types"),
        others={line.key: typed[line.key] for line in form.lines},
    )
    place = Place(
        ip=client_ip(request),
        user_agent=request.headers.get("User-Agent", ""),
        proven=proven,
    )
    try:
        with transaction.atomic():
            made = sign_up(form=row, answers=answers, place=place, now=timezone.now())
            mail.call(made)
    except BadFollower as error:  # a language that is none, in a page that somebody made by hand
        raise BadAnswer(error.sentence) from error


def _one_more_press(
    request: HttpRequest, row: SignUpForm, form: JoinForm, sent: QueryDict
) -> HttpResponse:
    """Ask for one more press, with all that was typed in the page."""
    step = work.step(row.key, now=timezone.now())
    if _by_script(request):
        return _json({"state": "step", "step": step})
    kept = [("email", form.cleaned_data["email"])]
    kept += [(line.key, text) for line in form.lines for text in sent.getlist(line.key)]
    kept += [("types", each) for each in sent.getlist("types")]
    kept += [(name, sent[name]) for name in ("language", "hosted") if name in sent]
    return _page(request, row, "step", kept=kept, step=step, again="step" in sent)


def _thanks(request: HttpRequest, row: SignUpForm, sent: QueryDict) -> HttpResponse:
    if _by_script(request):
        words = texts_of(row, translation.get_language())["thanks"] or _look()
        return _json({"state": "sent", "words": words, "url": row.thanks_url})
    if row.thanks_url and "hosted" not in sent:
        # not a redirect of Django's: a scheme of its own was refused when the form was saved
        return HttpResponse(status=303, headers={"Location": row.thanks_url})
    return _page(request, row, "thanks", look=_look())


def _look() -> str:
    return gettext("Look into your mailbox: a mail with a button waits there. Press it to confirm.")


def _refused(
    request: HttpRequest, row: SignUpForm, form: JoinForm, *, status: int = 400
) -> HttpResponse:
    if _by_script(request):
        return _json({"state": "refused", "problems": form.problems()}, status=status)
    return _page(request, row, "form", status=status, form=form)


def _by_script(request: HttpRequest) -> bool:
    return request.headers.get("Accept", "").startswith("application/json")


def _json(data: dict[str, Any], *, status: int = 200) -> JsonResponse:
    """Answer a script of any page: there is no cookie, so nothing is anybody's secret."""
    headers = {"Access-Control-Allow-Origin": "*"}
    return JsonResponse(data, status=status, headers=headers)


def _page(
    request: HttpRequest, row: SignUpForm, name: str, *, status: int = 200, **context: Any
) -> HttpResponse:
    ink = ""
    if row.colour:
        ink = ink_on(row.colour)
    texts = texts_of(row, translation.get_language())
    values = {"row": row, "texts": texts, "ink": ink, "trap": TRAP, **context}
    return show(request, f"sign_up/{name}", values, status=status)
