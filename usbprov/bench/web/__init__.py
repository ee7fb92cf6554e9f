"""The board on the web: a page served by the bench itself, fed by server-sent events."""
