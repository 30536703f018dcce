"""Redis: everything durable stands here."""
