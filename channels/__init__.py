"""A room's live path: the ordered log's recent end, the cursors that read it, and the bus between processes.

Carries opaque payloads with (room, seq); never knows what a message is.
"""
