"""How much one question may ask for. Each limit stands here, and nowhere else."""

MAX_CASES = 200
MAX_MARKS = 50
MAX_PROTOTYPES = 16
MAX_SEED = 2**32 - 1
