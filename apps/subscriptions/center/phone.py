"""The phone on the preference page: name a number, type the code that was sent there,
forget the number.
"""

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST

from apps.followers.addresses import BadAddress
from apps.followers.devices import phone_codes
from apps.lib.queue.announce import announce
from apps.lib.queue.lanes import Lane
from apps.subscriptions import new_way
from apps.subscriptions.center.page import SOURCE, back, page
from apps.subscriptions.mail_link import mail_fresh
from apps.subscriptions.public import follower_of, is_fresh, posted, proof, public_page, read_link
from apps.subscriptions.wording import BAD_NUMBER, CODE_ANSWERS, TOO_MANY_CODES, masked


@public_page
@require_POST
def ask(request: HttpRequest, token: str) -> HttpResponse:
    """Send a code to the number, for whoever has the mailbox."""
    link = read_link("preferences", token)
    follower = follower_of(link)
    if not is_fresh(link, follower):
        return mail_fresh(request, follower)
    said = proof(request, follower, SOURCE)
    number = posted(request).get("number", "")[:40]
    try:
        code = phone_codes.ask(follower=follower, number=number, ip=said.ip, now=said.now)
    except BadAddress:
        return page(request, token, follower, problem=("number", BAD_NUMBER), status=400)
    except phone_codes.TooManyCodes:
        return page(request, token, follower, problem=("number", TOO_MANY_CODES), status=429)
    announce("apps.subscriptions.center.phone_code.send", lane=Lane.CRITICAL, code_id=code.pk)
    return back(token, "code", part="phone")


@public_page
@require_POST
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    follower = follower_of(read_link("preferences", token))
    said = proof(request, follower, SOURCE)
    code = posted(request).get("code", "")[:20]
    with transaction.atomic():
        answer = phone_codes.confirm(follower=follower, code=code, proof=said)
        if answer is phone_codes.CodeResult.CONFIRMED:
            new_way.tell(follower, "phone", masked(follower.phone), proof=said)
    if answer is phone_codes.CodeResult.CONFIRMED:
        return back(token, "phone", part="phone")
    part = "number"
    if answer is phone_codes.CodeResult.WRONG:
        part = "code"
    return page(request, token, follower, problem=(part, CODE_ANSWERS[answer]), status=400)


@public_page
@require_POST
def remove(request: HttpRequest, token: str) -> HttpResponse:
    follower = follower_of(read_link("preferences", token))
    said = proof(request, follower, SOURCE)
    phone_codes.delete_number(follower=follower, by=said.by, now=said.now)
    return back(token, "no_phone", part="phone")
