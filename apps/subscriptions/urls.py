"""Addresses of the public pages, below /p/. Links in old mail point here: never change a path."""

from django.urls import path

from apps.subscriptions import ask_link, one_click, provider_events, sms_answers
from apps.subscriptions.center import browsers, email, phone, preferences
from apps.subscriptions.claims import pages as claims
from apps.subscriptions.claims import way_back
from apps.subscriptions.privacy import copy, wishes
from apps.subscriptions.reading import archive, receipt, sent, view
from apps.subscriptions.sign_up import confirm, join

app_name = "subscriptions"
_pages = [
    path("preferences/<str:token>/", preferences.preferences, name="preferences"),
    path(
        "preferences/<str:token>/unsubscribe/", preferences.unsubscribe_all, name="unsubscribe-all"
    ),
    path("preferences/<str:token>/resubscribe/", preferences.resubscribe, name="resubscribe"),
    path("preferences/<str:token>/link/", preferences.fresh_link, name="fresh-link"),
    path("preferences/<str:token>/undo/", preferences.undo, name="undo"),
    path("preferences/<str:token>/pause/", preferences.pause, name="pause"),
    path("preferences/<str:token>/messages/", sent.page, name="sent"),
    path("preferences/<str:token>/receipt/", receipt.page, name="receipt"),
    path("preferences/<str:token>/receipt/file/", receipt.file, name="receipt-file"),
    path("preferences/<str:token>/privacy/", wishes.page, name="privacy"),
    path("preferences/<str:token>/privacy/code/", wishes.ask, name="privacy-code"),
    path("preferences/<str:token>/privacy/copy/", wishes.copy, name="privacy-copy"),
    path("preferences/<str:token>/privacy/erase/", wishes.erase, name="privacy-erase"),
    path("copy/<str:token>/", copy.page, name="copy"),
    path("copy/<str:token>/file/", copy.file, name="copy-file"),
    path("preferences/<str:token>/phone/", phone.ask, name="phone"),
    path("preferences/<str:token>/phone/confirm/", phone.confirm, name="phone-confirm"),
    path("preferences/<str:token>/phone/remove/", phone.remove, name="phone-remove"),
    path("preferences/<str:token>/email/", email.ask, name="email"),
    path("preferences/<str:token>/email/use/", email.use, name="email-use"),
    path("preferences/<str:token>/email/remove/", email.remove, name="email-remove"),
    path("preferences/<str:token>/email/forget/", email.forget_claim, name="email-forget"),
    path("preferences/<str:token>/email/back/", way_back.page, name="email-back"),
    path("preferences/<str:token>/browsers/", browsers.connect, name="browsers"),
    path("preferences/<str:token>/browsers/remove/", browsers.remove, name="browser-remove"),
    # below /p/, for a service worker may not serve pages above its own address
    path("push-worker.js", browsers.worker, name="push-worker"),
    path("unsubscribe/<str:token>/", one_click.unsubscribe, name="unsubscribe"),
    path("link/", ask_link.ask, name="link"),
    path("archive/", archive.index, name="archive"),
    path("archive/rss.xml", archive.rss, name="archive-rss"),
    path("archive/atom.xml", archive.atom, name="archive-atom"),
    path("archive/<uuid:uid>/", archive.page, name="archived"),
    path("archive/<uuid:uid>/mail/", archive.mail, name="archived-mail"),
    path("view/<str:token>/", view.page, name="view"),
    path("view/<str:token>/mail/", view.mail, name="view-mail"),
    path("join/<slug:key>/", join.join, name="join"),
    path("join/<slug:key>/puzzle/", join.puzzle, name="join-puzzle"),
    path("sign-up.js", join.script, name="sign-up-script"),
    path("address/<str:token>/", claims.page, name="address"),
    path("address/<str:token>/again/", claims.again, name="address-again"),
    path("confirm/<str:token>/", confirm.page, name="confirm"),
    path("confirm/<str:token>/again/", confirm.again, name="confirm-again"),
    path("events/<str:token>/", provider_events.posted, name="provider-events"),
    path("sms/<uuid:account>/", sms_answers.answered, name="sms-answers"),
]
# Without the slash at the end, too: a redirect would lose what was posted (RFC 8058 wants none).
_slashed = [page for page in _pages if str(page.pattern).endswith("/")]
_bare = [path(str(page.pattern)[:-1], page.callback) for page in _slashed]
urlpatterns = _bare + _pages
