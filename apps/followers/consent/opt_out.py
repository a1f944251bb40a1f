"""Opt a follower out of what a message was about, or of everything commercial."""

from apps.followers.consent import acts, matrix
from apps.followers.consent.matrix import Key
from apps.followers.consent.record import Proof
from apps.followers.models import Channel, Follower


def opt_out(*, follower: Follower, type_key: str, proof: Proof) -> Follower:
    """Switch the type that the mail was about off, on email: the person is looking at that.

    A `type_key` of "" means everything. Gives the fresh follower.

    Where that cell can't be said (the type is gone, or locked) everything commercial goes off:
    somebody who asks to be left alone must not be ignored because of how we are set up.
    """
    if type_key:
        try:
            cells: dict[Key, bool | None] = {(type_key, Channel.EMAIL): False}
            change = acts.set_preferences(follower=follower, cells=cells, mutes={}, proof=proof)
        except (acts.UnknownCell, acts.Locked):
            pass
        else:
            return change.follower
    return acts.unsubscribe(follower=follower, proof=proof).follower


def is_out(follower: Follower, type_key: str) -> bool:
    """Did the person already say what `opt_out` would say?"""
    return (
        not follower.subscribed
        or matrix.own_words(follower).get((type_key, Channel.EMAIL)) is False
    )
