"""Are drawn pairs any good? Do nuclei lie where they were asked, and can a network learn from them?

Nothing heavy loads before a function is called.
"""
