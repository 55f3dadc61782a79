"""What runs now: spools followed while they are written. Needs neither pyarrow nor pandas."""
