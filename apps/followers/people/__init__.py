"""Followers: who they are, how they are reached, their tags, and how one is found."""
