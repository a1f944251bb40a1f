"""Who may do what."""

from django.test import RequestFactory

from apps.accounts.actors import client_ip, staff_actor
from apps.accounts.models import Role
from apps.accounts.permissions import Capability, Scope, allowed, may, scopes_of_role


def test_each_role_has_what_the_one_before_it_has_and_one_thing_more():
    table = {
        role: [capability.value for capability in Capability if allowed(role, capability)]
        for role in Role.values
    }
    assert table == {
        "viewer": ["view"],
        "editor": ["view", "edit"],
        "sender": ["view", "edit", "send"],
        "admin": ["view", "edit", "send", "administer"],
    }


def test_an_unknown_role_may_do_nothing():
    assert not any(allowed("boss", capability) for capability in Capability)
    assert scopes_of_role("boss") == set()


def test_scopes_grow_with_the_role_and_only_a_sender_may_let_messages_leave():
    assert all(scope.endswith(":read") for scope in scopes_of_role("viewer"))
    assert Scope.CAMPAIGNS_SEND not in scopes_of_role("editor")
    assert {Scope.CAMPAIGNS_SEND, Scope.NOTIFICATIONS_WRITE} <= scopes_of_role("sender")
    assert scopes_of_role("admin") == set(Scope)


def test_a_superuser_is_an_admin_and_a_deactivated_admin_is_nobody(viewer, admin):
    viewer.is_superuser = True
    admin.is_active = False
    assert may(viewer, Capability.ADMINISTER)
    assert not may(admin, Capability.VIEW)


def test_the_actor_names_the_person_and_where_the_request_came_from(viewer, settings):
    request = RequestFactory().get("/", headers={"X-Forwarded-For": "203.0.113.9"})
    request.user = viewer
    actor = staff_actor(request)
    assert (actor.id, actor.label, actor.ip) == (str(viewer.uid), "Vera", "127.0.0.1")


def test_a_forwarded_address_counts_only_as_far_as_our_own_proxies_wrote_it(settings):
    said = RequestFactory().get("/", headers={"X-Forwarded-For": "198.51.100.1, 203.0.113.9"})
    lied = RequestFactory().get("/", headers={"X-Forwarded-For": "<script>"})
    settings.PROXY_COUNT = 1
    assert client_ip(said) == "203.0.113.9"
    assert client_ip(lied) == "127.0.0.1"
    settings.PROXY_COUNT = 0
    assert client_ip(said) == "127.0.0.1"
