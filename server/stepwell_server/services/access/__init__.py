"""Who calls, and what they may do: one place for all doors.

    door -> Authenticator -> Call (of this call's context) -> guarded services -> Permissions -> services

A door finds out who calls (authentication.py) and keeps that for the call (calling.py). The services that doors are
given are guarded (guard.py): each public method has a rule (rules.py), which asks permissions.py. Services call each
other unguarded.
"""
