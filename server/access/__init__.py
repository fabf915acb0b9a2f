"""Who may ask: API keys, tokens of an identity provider, the page's sessions, and their limits."""
