"""What autologging adds."""
