"""Followers one by one: add, find, change, unsubscribe, erase."""

import uuid
from contextlib import suppress

from django.db.models import Q
from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.permissions import Scope
from apps.api.document.typed import EmailText, PhoneText
from apps.api.edited import Edited
from apps.api.endpoint import Endpoint, Strict, described, one
from apps.api.v1.audience.erasures import ErasureOut
from apps.api.v1.audience.followers.written import (
    FOLLOWERS,
    SOURCE,
    FollowerChanges,
    FollowerOut,
    NewFollower,
    upserted,
)
from apps.api.v1.audience.tags import slugs, words_field
from apps.followers import profile_fields
from apps.followers.addresses import CHANNEL_OF, BadAddress, normalise
from apps.followers.consent import acts
from apps.followers.consent.record import Proof
from apps.followers.models import Address, Erasure, Follower
from apps.followers.people import contacts
from apps.followers.people import search as people_search
from apps.followers.people.profile import Profile
from apps.followers.people.revoke_links import revoke_links
from apps.followers.privacy.erase import erase
from apps.followers.profile_fields import BadFollower
from apps.lib.refusals import UNFIT


class FollowerByIdIn(NewFollower):
    """All may be left out: the id in the address is enough."""


class FollowerQuery(Strict):
    subscribed = serializers.BooleanField(required=False)
    external_id = serializers.CharField(
        required=False, max_length=200, help_text="Exactly this one: your own id."
    )
    email = EmailText(
        required=False, max_length=320, help_text="Exactly this one, among all of theirs."
    )
    phone = PhoneText(
        required=False, max_length=40, help_text="Exactly this one, among all of theirs."
    )
    tags = words_field(required=False, help_text="Repeat it; all of them are needed.")
    search = serializers.CharField(
        required=False, allow_blank=True, max_length=200, help_text="Name, address, external id."
    )
    language = serializers.CharField(
        required=False, allow_blank=True, max_length=35, help_text="pt takes pt-BR with it."
    )


class Followers(Endpoint):
    """All followers."""

    scopes = {"GET": Scope.FOLLOWERS_READ, "POST": Scope.FOLLOWERS_WRITE}

    @described(
        "Followers",
        "followers_list",
        "List followers",
        query=FollowerQuery,
        answer=FollowerOut(many=True),
        refuses=(400,),
    )
    def get(self, request: Request) -> Response:
        asked = self.query(FollowerQuery)
        asked["tags"] = slugs(asked.get("tags", ()))
        exactly = {name: asked.pop(name) for name in ("external_id", *CHANNEL_OF) if name in asked}
        rows = people_search.followers(**asked)
        return self.page(rows.filter(_known_by(exactly)), FollowerOut)

    @described(
        "Followers",
        "followers_create",
        "Add a follower",
        body=NewFollower,
        answer=FollowerOut,
        status=201,
        refuses=(400, 409),
        details="An address or external id that somebody has already is refused with 409.",
    )
    def post(self, request: Request) -> Response:
        said = self.body(NewFollower)
        added = contacts.add_follower(
            subscribed=said.pop("subscribed"),
            values=Profile(**said),
            proof=Proof(source=SOURCE, by=self.by, now=self.now),
        )
        return Response(FollowerOut(added).data, status=201)


def _known_by(exactly: dict[str, str]) -> Q:
    """Ask for who has this external id and these addresses."""
    wanted = Q()
    if "external_id" in exactly:
        known = None
        with suppress(BadFollower):  # nobody can have it
            known = profile_fields.external_id(exactly["external_id"])
        wanted &= Q(external_id=known, external_id__isnull=False)
    for field, channel in CHANNEL_OF.items():
        if field in exactly:
            try:
                _, key = normalise(channel, exactly[field])
            except BadAddress as error:
                raise serializers.ValidationError(
                    {field: [str(error)]}, code=error.cause
                ) from error
            holders = Address.objects.filter(channel=channel, key=key)
            wanted &= Q(pk__in=holders.values("follower"))
    return wanted


class FollowerByExternalId(Endpoint):
    """One follower, by the caller's own id."""

    scopes = {"GET": Scope.FOLLOWERS_READ, "PUT": Scope.FOLLOWERS_WRITE}

    @described(
        "Followers",
        "followers_get_by_external_id",
        "Get a follower by your own id",
        answer=FollowerOut,
        refuses=(404,),
    )
    def get(self, request: Request, external_id: str) -> Response:
        try:
            known = _own_id(external_id)
        except BadFollower as error:  # nobody can have it
            raise NotFound from error
        return Response(FollowerOut(one(FOLLOWERS, external_id=known)).data)

    @described(
        "Followers",
        "followers_put_by_external_id",
        "Add or change the follower with your own id",
        body=FollowerByIdIn,
        answer=FollowerOut,
        status=201,
        refuses=(400, 409),
        repeat=True,
        details=(
            "201 when somebody was added, 200 when the follower was known, by this id or else by "
            "the address. What is empty or left out stays, tags are added, metadata is merged. "
            "`subscribed: false` unsubscribes; true never subscribes somebody again."
        ),
    )
    def put(self, request: Request, external_id: str) -> Response:
        said = self.body(FollowerByIdIn)
        known = _own_id(external_id)
        if said.get("external_id") not in (None, known):
            raise serializers.ValidationError(
                {"external_id": ["This is another id than the one in the address. Leave it out."]},
                code=UNFIT,
            )
        said["external_id"] = known
        follower, created = upserted(said, Proof(source=SOURCE, by=self.by, now=self.now))
        status = 200
        if created:
            status = 201
        return Response(FollowerOut(one(FOLLOWERS, pk=follower.pk)).data, status=status)


def _own_id(text: str) -> str:
    """Read an id in an address as it is kept. Raises BadFollower, also where it is none."""
    known = profile_fields.external_id(text)
    if known is None:
        raise BadFollower("Write your own id into the address: it is empty.", field="external_id")
    return known


class OneFollower(Edited):
    """One follower."""

    scopes = {
        "GET": Scope.FOLLOWERS_READ,
        "PATCH": Scope.FOLLOWERS_WRITE,
        "DELETE": Scope.FOLLOWERS_ERASE,
    }
    rows = Follower.objects.all()

    @described("Followers", "followers_get", "Get a follower", answer=FollowerOut, refuses=(404,))
    def get(self, request: Request, id: uuid.UUID) -> Response:
        return Response(FollowerOut(one(FOLLOWERS, uid=id)).data)

    @described(
        "Followers",
        "followers_change",
        "Change a follower",
        body=FollowerChanges,
        answer=FollowerOut,
        refuses=(400, 404, 409),
        details=(
            "Only what is sent changes. Consent is changed by unsubscribe, resubscribe and "
            "preferences."
        ),
    )
    def patch(self, request: Request, id: uuid.UUID) -> Response:
        follower = one(Follower.objects.all(), uid=id)
        said = self.body(FollowerChanges, partial=True)
        if "metadata" in said:
            said["metadata_changes"] = said.pop("metadata")
        changes = Profile(**said)
        contacts.change_follower(follower=follower, values=changes, by=self.by, now=self.now)
        return Response(FollowerOut(one(FOLLOWERS, uid=id)).data)

    @described(
        "Followers",
        "followers_erase",
        "Erase a follower",
        answer=ErasureOut,
        status=202,
        refuses=(404,),
        details=(
            "Nothing is sent to this person any more when this is answered; all that is theirs "
            "goes in the background, and can't be brought back. No call and no import adds them "
            "again: they come back by signing up themselves. Safe to repeat."
        ),
    )
    def delete(self, request: Request, id: uuid.UUID) -> Response:
        erasure = Erasure.objects.filter(follower=id).first()
        if erasure is None:
            follower = one(Follower.objects.all(), uid=id)
            erasure = erase(follower=follower, by=self.by, now=self.now)
        return Response(ErasureOut(erasure).data, status=202)


@extend_schema_serializer(component_name="Why")
class ConsentReason(Strict):
    reason = serializers.CharField(required=False, default="", allow_blank=True, max_length=300)
    wording = serializers.CharField(
        required=False,
        default="",
        allow_blank=True,
        max_length=40,
        help_text="Version of the text the person saw.",
    )


class Unsubscribe(Endpoint):
    """The global opt-out."""

    scopes = {"POST": Scope.FOLLOWERS_WRITE}

    @described(
        "Followers",
        "followers_unsubscribe",
        "Unsubscribe a follower from everything commercial",
        body=ConsentReason,
        answer=FollowerOut,
        refuses=(400, 404),
        details="Safe to repeat: the first time counts.",
    )
    def post(self, request: Request, id: uuid.UUID) -> Response:
        follower = one(FOLLOWERS, uid=id)
        said = self.body(ConsentReason)
        proof = Proof(source=SOURCE, by=self.by, now=self.now, wording=said["wording"])
        acts.unsubscribe(follower=follower, reason=said["reason"], proof=proof)
        return Response(FollowerOut(one(FOLLOWERS, uid=id)).data)


class Resubscribe(Endpoint):
    """The way back, at the follower's own wish."""

    scopes = {"POST": Scope.FOLLOWERS_WRITE}

    @described(
        "Followers",
        "followers_resubscribe",
        "Subscribe a follower again",
        body=ConsentReason,
        answer=FollowerOut,
        refuses=(400, 404),
        details="Only at the follower's own wish: it is written into the consent record.",
    )
    def post(self, request: Request, id: uuid.UUID) -> Response:
        follower = one(FOLLOWERS, uid=id)
        said = self.body(ConsentReason)
        proof = Proof(source=SOURCE, by=self.by, now=self.now, wording=said["wording"])
        acts.resubscribe(follower=follower, reason=said["reason"], proof=proof)
        return Response(FollowerOut(one(FOLLOWERS, uid=id)).data)


class RevokeLinks(Endpoint):
    """The end of all links to the follower's own pages."""

    scopes = {"POST": Scope.FOLLOWERS_WRITE}

    @described(
        "Followers",
        "followers_revoke_links",
        "Revoke the links to a follower's own pages",
        answer=None,
        refuses=(404,),
        details=(
            "Those that were made until now, in mails that arrived and in mails that wait. Each "
            "can still stop messages (RFC 8058), and do nothing else."
        ),
    )
    def post(self, request: Request, id: uuid.UUID) -> Response:
        revoke_links(follower=one(FOLLOWERS, uid=id), by=self.by, now=self.now)
        return Response(status=204)
