"""Followers: add, find, change, unsubscribe, tag."""

import uuid
from contextlib import suppress
from typing import Any

from django.db.models import Q
from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.permissions import Scope
from apps.api.document.typed import EmailText, PhoneText
from apps.api.edited import Edited
from apps.api.endpoint import Endpoint, FieldProblem, Strict, described, one
from apps.api.errors import code_of, faults_of, flat
from apps.api.v1.audience.erasures import ErasureOut
from apps.api.v1.audience.tags import slugs, words_field
from apps.followers import profile_fields
from apps.followers.addresses import CHANNEL_OF, BadAddress, normalise
from apps.followers.consent import acts
from apps.followers.consent.record import Proof
from apps.followers.models import Address, AddressState, Channel, Erasure, Follower, Tag
from apps.followers.people import contacts, tagging
from apps.followers.people import search as people_search
from apps.followers.people.profile import Profile
from apps.followers.people.revoke_links import revoke_links
from apps.followers.privacy.erase import erase
from apps.followers.profile_fields import BadFollower
from apps.lib.ids import read_uid
from apps.lib.refusals import UNFIT, Refused

FOLLOWERS = Follower.objects.prefetch_related("addresses", "tags")
SOURCE = "api"


class AddressOut(serializers.Serializer[Any]):
    id = serializers.UUIDField(source="uid")
    channel = serializers.ChoiceField(Channel.choices)
    value = serializers.CharField(source="label", help_text="Of a device its name.")
    status = serializers.ChoiceField(AddressState.choices, source="state")
    primary = serializers.BooleanField()


class FollowerOut(serializers.Serializer[Follower]):
    id = serializers.UUIDField(source="uid")
    name = serializers.CharField(help_text="The whole name.")
    first_name = serializers.CharField(help_text="As it was said; templates guess one without it.")
    last_name = serializers.CharField()
    email = serializers.CharField(help_text="The primary one, or empty.")
    phone = serializers.CharField(help_text="E.164, the primary one, or empty.")
    external_id = serializers.CharField(allow_null=True)
    language = serializers.CharField()
    time_zone = serializers.CharField(help_text="IANA name; empty means the site's.")
    subscribed = serializers.BooleanField(help_text="The word on everything commercial.")
    subscribed_at = serializers.DateTimeField(allow_null=True)
    unsubscribed_at = serializers.DateTimeField(allow_null=True)
    tracking = serializers.BooleanField(
        source="measured", help_text="Whether opens and clicks of theirs may be counted."
    )
    tags = serializers.SerializerMethodField(help_text="Names.")
    metadata = serializers.DictField()
    addresses = AddressOut(many=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()

    def get_tags(self, follower: Follower) -> list[str]:
        return [tag.name for tag in follower.tags.all()]


class FollowerIn(Strict):
    """All may be left out; a follower without an address is reached in-app only."""

    email = serializers.CharField(required=False, allow_blank=True, max_length=320)
    phone = serializers.CharField(
        required=False, allow_blank=True, max_length=40, help_text="Such as +49 30 901820."
    )
    name = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=200,
        help_text="The whole name; made of the parts when left out.",
    )
    first_name = serializers.CharField(required=False, allow_blank=True, max_length=200)
    last_name = serializers.CharField(required=False, allow_blank=True, max_length=200)
    external_id = serializers.CharField(
        required=False, allow_null=True, allow_blank=True, max_length=200
    )
    language = serializers.CharField(
        required=False, allow_blank=True, max_length=35, help_text="BCP 47: en, pt-BR."
    )
    time_zone = serializers.CharField(
        required=False, allow_blank=True, max_length=64, help_text="Europe/Berlin"
    )
    tags = words_field(
        required=False, help_text="Names; made when missing. In a change: the whole set."
    )
    metadata = serializers.DictField(
        required=False, help_text="Your own values. A change is merged by key; null removes one."
    )

    def validate_email(self, value: str) -> str:
        return _checked(Channel.EMAIL, value)

    def validate_phone(self, value: str) -> str:
        return _checked(Channel.SMS, value)

    def validate_external_id(self, value: str | None) -> str | None:
        """Give the id as it is kept: so it is found, too."""
        try:
            return profile_fields.external_id(value)
        except BadFollower as error:
            raise serializers.ValidationError(str(error), code=code_of(error)) from error


def _checked(channel: Channel, value: str) -> str:
    """Check the value as it was sent; refused here so that the answer names the field."""
    if value.strip():
        try:
            normalise(channel, value)
        except BadAddress as error:
            raise serializers.ValidationError(str(error), code=error.cause) from error
    return value


class FollowerChanges(FollowerIn):
    tracking = serializers.BooleanField(
        source="measured",
        required=False,
        help_text=(
            "Whether opens and clicks of theirs may be counted; theirs to say, as a preference."
        ),
    )


class NewFollower(FollowerIn):
    subscribed = serializers.BooleanField(default=True)


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


def upserted(said: dict[str, Any], proof: Proof) -> tuple[Follower, bool]:
    """Add or change whom a NewFollower speaks of; whether somebody was added."""
    subscribed = said.pop("subscribed")
    return contacts.upsert_follower(values=Profile(**said), subscribed=subscribed, proof=proof)


UPSERT_RESULTS = [("created", "Created"), ("updated", "Updated"), ("refused", "Refused")]
MOST_AT_ONCE = 1000


class ManyFollowers(Strict):
    followers = serializers.ListField(
        child=serializers.DictField(),
        allow_empty=False,
        max_length=MOST_AT_ONCE,
        help_text="As in `POST /followers`.",
    )


class ManyFollowersResult(serializers.Serializer[Any]):
    result = serializers.ChoiceField(UPSERT_RESULTS)
    id = serializers.UUIDField(allow_null=True)
    errors: Any = FieldProblem(many=True)


class ManyFollowersOut(serializers.Serializer[Any]):
    results = ManyFollowersResult(many=True, help_text="In the order of the followers.")


class BulkFollowers(Endpoint):
    """Many followers at once."""

    scopes = {"POST": Scope.FOLLOWERS_WRITE}
    cost = 10

    @described(
        "Followers",
        "followers_upsert_many",
        "Add or change up to 1,000 followers",
        body=ManyFollowers,
        answer=ManyFollowersOut,
        refuses=(400,),
        details=(
            "Each is taken or refused for itself, as by PUT: known by `external_id`, else by "
            "address. Takes ten calls of the allowance. For millions there is the import of a file."
        ),
    )
    def post(self, request: Request) -> Response:
        given = self.body(ManyFollowers)["followers"]
        proof = Proof(source=SOURCE, by=self.by, now=self.now)
        return Response({"results": [_taken(each, proof) for each in given]})


def _taken(given: dict[str, Any], proof: Proof) -> dict[str, Any]:
    """Add or change one of many; or what is wrong with this one."""
    checked = NewFollower(data=given)
    if not checked.is_valid():
        return {"result": "refused", "id": None, "errors": list(flat(checked.errors))}
    try:
        follower, created = upserted(dict(checked.validated_data), proof)
    except Refused as error:
        return {"result": "refused", "id": None, "errors": list(faults_of(error))}
    result = "updated"
    if created:
        result = "created"
    return {"result": result, "id": follower.uid, "errors": []}


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


class Names(Strict):
    tags = words_field(allow_empty=False, max_length=50, help_text="Names; made when missing.")


class FollowerTags(Endpoint):
    """The tags of one follower."""

    scopes = {"POST": Scope.FOLLOWERS_WRITE}

    @described(
        "Followers",
        "followers_tag",
        "Put tags on a follower",
        body=Names,
        answer=FollowerOut,
        refuses=(400, 404),
    )
    def post(self, request: Request, id: uuid.UUID) -> Response:
        follower = one(Follower.objects.all(), uid=id)
        tagging.tag(followers=[follower], **self.body(Names), by=self.by, now=self.now)
        return Response(FollowerOut(one(FOLLOWERS, uid=id)).data)


class FollowerTag(Endpoint):
    """One tag of one follower."""

    scopes = {"DELETE": Scope.FOLLOWERS_WRITE}

    @described(
        "Followers",
        "followers_untag",
        "Take a tag off a follower",
        answer=FollowerOut,
        refuses=(404,),
        details="Safe to repeat. 404 where there is no such tag at all: a typo is told.",
    )
    def delete(self, request: Request, id: uuid.UUID, slug: str) -> Response:
        follower = one(Follower.objects.all(), uid=id)
        tag = one(Tag.objects.all(), slug=slug)
        tagging.untag(followers=[follower], tags=[tag.name], by=self.by, now=self.now)
        return Response(FollowerOut(one(FOLLOWERS, uid=id)).data)


class ManyTags(Strict):
    action = serializers.ChoiceField(["add", "remove"])
    tags = words_field(allow_empty=False, max_length=50)
    followers = serializers.ListField(
        child=serializers.CharField(), allow_empty=False, max_length=1000
    )


TAG_RESULTS = [("done", "Done"), ("not_found", "Not found")]


class ManyTagsResult(serializers.Serializer[Any]):
    follower = serializers.CharField(help_text="As it was sent.")
    status = serializers.ChoiceField(TAG_RESULTS)


class ManyTagsOut(serializers.Serializer[Any]):
    changed = serializers.IntegerField(
        help_text="Tags put on or taken off; those that were so already don't count."
    )
    results = ManyTagsResult(many=True)


class BulkTags(Endpoint):
    """Tags of many followers."""

    scopes = {"POST": Scope.FOLLOWERS_WRITE}
    cost = 10

    @described(
        "Followers",
        "followers_tag_many",
        "Put tags on, or take them off, up to 1,000 followers",
        body=ManyTags,
        answer=ManyTagsOut,
        refuses=(400,),
        details=(
            "Answers with a result for each follower, in the order given. Takes ten calls of the "
            "allowance."
        ),
    )
    def post(self, request: Request) -> Response:
        asked = self.body(ManyTags)
        uids = {text: read_uid(text) for text in asked["followers"]}
        found = {
            row.uid: row
            for row in Follower.objects.filter(uid__in={uid for uid in uids.values() if uid})
        }
        if asked["action"] == "add":
            act = tagging.tag
        else:
            act = tagging.untag
        changed = act(followers=list(found.values()), tags=asked["tags"], by=self.by, now=self.now)
        results = []
        for text in asked["followers"]:
            status = "not_found"
            if uids[text] in found:
                status = "done"
            results.append({"follower": text, "status": status})
        return Response({"changed": changed, "results": results})
