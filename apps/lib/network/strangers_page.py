"""A page that a stranger wrote, such as a mail, in a frame of ours.

It may show pictures from anywhere and its own styles, as a mail program lets it: no script, no
form, no plug-in, nothing of ours within reach. `sandbox` gives it an origin of its own, also where
somebody opens its address outside of the frame.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

from csp.constants import NONE, SELF
from csp.decorators import csp
from django.http import HttpResponse
from django.views.decorators.clickjacking import xframe_options_sameorigin

View = TypeVar("View", bound=Callable[..., HttpResponse])


def framed(view: View, *, may: Sequence[str] = ("allow-popups",)) -> View:
    """Let what the view answers stand in a frame of ours. `may`: the words of its sandbox."""
    policy = {
        "default-src": [NONE],
        "style-src": ["'unsafe-inline'"],
        "img-src": ["data:", "https:", "http:"],
        "form-action": [NONE],
        "base-uri": [NONE],
        "frame-ancestors": [SELF],
        "sandbox": list(may),
    }
    guarded: Any = csp(policy)(cast(Any, view))  # typed for views without arguments only
    return cast(View, xframe_options_sameorigin(guarded))
