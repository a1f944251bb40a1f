"""Followers, messages and what became of them, by the API of a Carillon site."""

from carillon.results import Delivery, Follower, Message
from carillon.service import NotificationService
from carillon.site import CarillonError, NotReached, Refused

__all__ = [
    "CarillonError",
    "Delivery",
    "Follower",
    "Message",
    "NotReached",
    "NotificationService",
    "Refused",
]
