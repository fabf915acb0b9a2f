"""Sockets, connections, names, and the server around the application."""
