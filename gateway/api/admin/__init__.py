"""What operators look at and change while the gateway runs: `/admin/...`, with the admin key."""
