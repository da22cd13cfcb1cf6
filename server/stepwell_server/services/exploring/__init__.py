"""What pages ask beside experiments and runs: keys, values, groups, kin, changes, views."""
