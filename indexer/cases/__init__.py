"""The cases of a change: what rows say of them, under which names, and which would be lost."""
