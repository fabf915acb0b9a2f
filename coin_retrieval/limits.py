"""How much one question may ask for, and asks for by itself: here, and nowhere else."""

DEFAULT_CASES = 10
MAX_CASES = 200
MAX_MARKS = 50
DEFAULT_PROTOTYPES = 4
MAX_PROTOTYPES = 16
MAX_SEED = 2**32 - 1
MAX_WIDTH = 64
MAX_NUCLEI = 500
DEFAULT_CACHE_BYTES = 4 * 1024**3
