"""A follower's addresses: add one more, use another, forget one."""

import uuid

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.permissions import Scope
from apps.api.endpoint import Endpoint, Strict, described, one
from apps.api.v1.audience.followers.written import FOLLOWERS, FollowerOut
from apps.followers.models import Address, Channel, Follower
from apps.followers.people import address_claims, further_addresses
from apps.lib.refusals import UNFIT

ADDABLE = [(channel.value, channel.label) for channel in (Channel.EMAIL, Channel.SMS)]


class NewAddress(Strict):
    channel = serializers.ChoiceField(ADDABLE)
    value = serializers.CharField(max_length=320)
    primary = serializers.BooleanField(default=False, help_text="Write there from now on.")
    confirm = serializers.BooleanField(
        default=False,
        help_text="Of an email address: ask its mailbox first. It is the follower's when its owner "
        "presses the button in the mail.",
    )


class Addresses(Endpoint):
    """The addresses of one follower."""

    scopes = {"POST": Scope.FOLLOWERS_WRITE}

    @described(
        "Followers",
        "followers_add_address",
        "Give a follower one more address",
        body=NewAddress,
        answer=FollowerOut,
        later=FollowerOut,
        refuses=(400, 404, 409),
        details=(
            "The first of its channel is the primary one, which is written to. One that is there "
            "already stays. With `confirm` the answer is 202, the follower as before; 409 where "
            "this address was asked for them within the hour, or five were within a day."
        ),
    )
    def post(self, request: Request, id: uuid.UUID) -> Response:
        follower = one(Follower.objects.all(), uid=id)
        said = self.body(NewAddress)
        primary = said.pop("primary")
        status = 200
        if said.pop("confirm"):
            if said["channel"] != Channel.EMAIL:
                raise serializers.ValidationError(
                    {"confirm": ["Only an email address can be asked. Leave it out."]}, code=UNFIT
                )
            address_claims.ask(
                follower=follower, value=said["value"], primary=primary, now=self.now
            )
            status = 202
        else:
            further_addresses.create_address(
                follower=follower, **said, primary=primary, by=self.by, now=self.now
            )
        return Response(FollowerOut(one(FOLLOWERS, uid=id)).data, status=status)


class OneAddress(Endpoint):
    """One address of one follower."""

    scopes = {"DELETE": Scope.FOLLOWERS_WRITE}

    @described(
        "Followers",
        "followers_remove_address",
        "Forget an address",
        answer=FollowerOut,
        refuses=(404,),
        details=(
            "Messages that wait for it are skipped. If it was primary, the oldest other one takes "
            "over."
        ),
    )
    def delete(self, request: Request, id: uuid.UUID, address: uuid.UUID) -> Response:
        further_addresses.delete_address(address=_address(id, address), by=self.by, now=self.now)
        return Response(FollowerOut(one(FOLLOWERS, uid=id)).data)


class Primary(Endpoint):
    """The address that is written to."""

    scopes = {"POST": Scope.FOLLOWERS_WRITE}

    @described(
        "Followers",
        "followers_use_address",
        "Write to this address",
        answer=FollowerOut,
        refuses=(404,),
    )
    def post(self, request: Request, id: uuid.UUID, address: uuid.UUID) -> Response:
        further_addresses.make_primary(address=_address(id, address), by=self.by, now=self.now)
        return Response(FollowerOut(one(FOLLOWERS, uid=id)).data)


def _address(follower: uuid.UUID, address: uuid.UUID) -> Address:
    return one(Address.objects.select_related("follower"), uid=address, follower__uid=follower)
