"""What goes wrong between a client and a server, made to happen, with counts.

Each test notes what a fault came to; `docs/reliability.md` is the table of it.
"""
