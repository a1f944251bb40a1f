"""Somebody fills in a form: noted, and answered alike for every address."""

import datetime as dt
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext

from apps.followers import profile_fields
from apps.followers.addresses import normalise
from apps.followers.fields.fitting import KnownFields
from apps.followers.models import Channel, SignUp, SignUpForm, SignUpState
from apps.followers.sign_up import questions
from apps.followers.sign_up.edit import wording_of
from apps.followers.sign_up.questions import BadAnswer
from apps.lib.refusals import RefusalKind, Refused

HOUR = dt.timedelta(hours=1)
# Sign-ups in an hour. A school or an office shares one address; a talk on television does not.
PER_NETWORK = 60
PER_NETWORK_UNPROVEN = 10  # of those whose browser did no work for it (subscriptions/sign_up)
PER_FORM = 5000
# What a sign-up that is asked about again takes over.
_SAME = (
    "form",
    "wording",
    "follower",
    "email",
    "key",
    "language",
    "answers",
    "types",
    "ip",
    "network",
    "user_agent",
)


class FormClosed(Refused):
    """The form takes nobody any more."""

    kind = RefusalKind.STATE


class TooManySignUps(Refused):
    """More come from one place than people make; the sentence says what to do."""

    kind = RefusalKind.STATE


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What somebody typed into a form; `types` are keys."""

    email: str
    language: str
    types: Sequence[str] = ()
    others: Mapping[str, Any] = field(default_factory=dict)  # {question: text, or of its field}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The place that answers came from; `proven`: the browser worked for it, as a crowd of them
    would not.
    """

    ip: str = ""
    user_agent: str = ""
    proven: bool = False


def sign_up(*, form: SignUpForm, answers: Answers, place: Place, now: dt.datetime) -> SignUp:
    """Note that somebody says that an address is theirs, and wants what the form offers.

    Nobody is looked up, so that neither the answer nor its time tells who is known.
    Raises FormClosed, BadAddress, BadAnswer, TooManySignUps.
    """
    if not form.active:
        raise FormClosed(gettext("This form takes no more sign-ups."))
    value, key = normalise(Channel.EMAIL, answers.email)
    chosen = _chosen(form, answers.types)
    others = questions.answered(questions.read(form.questions), answers.others, KnownFields())
    network = network_of(place.ip)
    _refuse_crowds(form, network, place.proven, now)
    return SignUp.objects.create(
        form=form,
        wording=wording_of(form),
        email=value,
        key=key,
        language=profile_fields.language(answers.language),
        answers=others,
        types=chosen,
        ip=place.ip or None,
        network=network,
        user_agent=place.user_agent[:300],
        created_at=now,
    )


def ask_again(*, sign_up: SignUp, now: dt.datetime) -> SignUp:
    """Note the same once more, for whoever opened a link that is too old; one that still waits for
    its mail will do.
    """
    waiting = SignUp.objects.filter(
        follower=sign_up.follower, form=sign_up.form, state=SignUpState.ASKED
    )
    if found := waiting.first():
        return found
    same = {name: getattr(sign_up, name) for name in _SAME}
    return SignUp.objects.create(**same, created_at=now)


def network_of(ip: str) -> str:
    """Give the network that a limit counts as one place: a /24 of IPv4, a /56 of IPv6, which is
    what a household gets (RFC 6177). "" for "".
    """
    if not ip:
        return ""
    bits = 24
    if ipaddress.ip_address(ip).version == 6:
        bits = 56
    return str(ipaddress.ip_network(f"{ip}/{bits}", strict=False))


def _chosen(form: SignUpForm, wanted: Sequence[str]) -> list[str]:
    """Take what the person chose; where the form offers one thing, that. Raises BadAnswer."""
    offered = list(form.types.order_by("position", "name").values_list("key", flat=True))
    if len(offered) == 1:
        return offered
    chosen = [key for key in offered if key in set(wanted)]
    if not chosen:
        raise BadAnswer(gettext("Choose at least one."), field="types")
    return chosen


def _refuse_crowds(form: SignUpForm, network: str, proven: bool, now: dt.datetime) -> None:
    lately = SignUp.objects.filter(created_at__gt=now - HOUR)
    most = PER_NETWORK
    if not proven:
        most = PER_NETWORK_UNPROVEN
    crowd = network and lately.filter(network=network).count() >= most
    if crowd or lately.filter(form=form).count() >= PER_FORM:
        said = gettext("Too many people signed up from here just now. Please try again in an hour.")
        raise TooManySignUps(said)
