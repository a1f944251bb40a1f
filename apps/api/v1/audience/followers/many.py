"""Many followers at once: added, changed, tagged."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.permissions import Scope
from apps.api.endpoint import Endpoint, FieldProblem, Strict, described
from apps.api.errors import faults_of, flat
from apps.api.v1.audience.followers.written import SOURCE, NewFollower, upserted
from apps.api.v1.audience.tags import words_field
from apps.followers.consent.record import Proof
from apps.followers.models import Follower
from apps.followers.people import tagging
from apps.lib.ids import read_uid
from apps.lib.refusals import Refused

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
