"""How fast messages may leave: by notification, account, day and receiving domain."""
