"""Addresses of the public pages, below /p/. Links in old mail point here: never change a path."""

from django.urls import path

from apps.subscriptions import ask_link, one_click, preferences, sms_answers

app_name = "subscriptions"
urlpatterns = [
    path("preferences/<str:token>/", preferences.preferences, name="preferences"),
    path("preferences/<str:token>/unsubscribe/", preferences.unsubscribe_all, name="unsubscribe-all"),
    path("preferences/<str:token>/resubscribe/", preferences.resubscribe, name="resubscribe"),
    path("preferences/<str:token>/undo/", preferences.undo, name="undo"),
    path("unsubscribe/<str:token>/", one_click.unsubscribe, name="unsubscribe"),
    path("link/", ask_link.ask, name="link"),
    path("sms/<uuid:account>/", sms_answers.answered, name="sms-answers"),
]
