"""Layouts: the frames around emails."""

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.permissions import Scope
from apps.api.edited import Edited
from apps.api.endpoint import Endpoint, Strict, described, one
from apps.content.layouts import save_layout
from apps.content.models import Layout


class LayoutOut(serializers.Serializer[Layout]):
    key = serializers.CharField()
    name = serializers.CharField()
    html = serializers.CharField()
    text = serializers.CharField()
    updated_at = serializers.DateTimeField()


class LayoutIn(Strict):
    """A frame; `{{ content }}` stands where the email goes."""

    name = serializers.CharField(max_length=100)
    html = serializers.CharField(trim_whitespace=False, help_text="Liquid, with `{{ content }}`.")
    text = serializers.CharField(
        required=False,
        allow_blank=True,
        trim_whitespace=False,
        help_text="Empty: made of the HTML.",
    )


class Layouts(Endpoint):
    """All layouts."""

    scopes = {"GET": Scope.CONTENT_READ}

    @described(
        "Templates", "layouts_list", "List layouts", answer=LayoutOut(many=True), refuses=(400,)
    )
    def get(self, request: Request) -> Response:
        self.query()
        return self.page(Layout.objects.all(), LayoutOut)


class OneLayout(Edited):
    """One layout."""

    scopes = {"GET": Scope.CONTENT_READ, "PUT": Scope.CONTENT_WRITE}
    rows = Layout.objects.all()
    by_key = "key"
    column = "key"

    @described("Templates", "layouts_get", "Get a layout", answer=LayoutOut, refuses=(404,))
    def get(self, request: Request, key: str) -> Response:
        return Response(LayoutOut(one(Layout.objects.all(), key=key)).data)

    @described(
        "Templates",
        "layouts_put",
        "Make or change a layout",
        body=LayoutIn,
        answer=LayoutOut,
        refuses=(400, 404, 409),
        details="Published versions keep the frame they were published with. 409 with every "
        "problem that keeps it from being used; 404 when `If-Match` is sent and there is none.",
    )
    def put(self, request: Request, key: str) -> Response:
        checked = LayoutKey(data={"key": key})
        checked.is_valid(raise_exception=True)
        made = save_layout(key=key, **self.body(LayoutIn), by=self.by, now=self.now)
        return Response(LayoutOut(made).data)


class LayoutKey(Strict):
    """The key in an address."""

    key = serializers.SlugField(max_length=60)
