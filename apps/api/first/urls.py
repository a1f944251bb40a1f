"""The first eight addresses, at the root and without a slash at the end."""

from django.urls import path
from rest_framework.views import APIView

from apps.api.first import followers, messages

VIEWS: dict[str, type[APIView]] = {
    "followers": followers.PlainFollowers,
    "followers/<str:id>": followers.OnePlainFollower,
    "followers/<str:id>/unsubscribe": followers.PlainUnsubscribe,
    "messages": messages.PlainMessages,
    "messages/<str:id>/send": messages.SendPlainMessage,
    "messages/<str:id>/deliveries": messages.PlainDeliveries,
}
urlpatterns = [path(address, view.as_view()) for address, view in VIEWS.items()]
