"""What can go wrong, as one tree.

    CoinError
    ├── InputError (ValueError)        what the caller gave cannot be used
    │   ├── ReportError                empty, enormous or non-text report
    │   ├── ImageError                 an image that cannot be decoded or is too large
    │   ├── CaseTableError             a manifest of cases with missing columns or bad rows
    │   ├── FilterError                a filter on an unknown field
    │   └── SettingsError              a setting out of range, or an unknown backend
    │       └── CacheError             the prototype cache cannot be written
    ├── NotFoundError (LookupError)    an id or a path that names nothing
    ├── UnsupportedError (TypeError)   the chosen backend lacks the power that was asked for
    ├── MissingDependencyError (ImportError)   an extra is not installed
    ├── ArchiveError (RuntimeError)    an archive that cannot be opened or changed
    │   ├── ArchiveCorruptError        half-written, or a checksum that does not hold
    │   ├── ArchiveSchemaError         written by a newer program
    │   ├── ArchiveBusyError           another build holds it
    │   ├── ArchiveServerError         a server that holds a part of it is away, slow or full
    │   └── EncoderMismatchError       built with another encoder
    ├── ReplayError (RuntimeError)     what an earlier answer rested on has changed
    ├── ServerError (RuntimeError)     a coin-serve that is not there, is busy or has a fault
    └── ModelError (RuntimeError)      weights that cannot be used
        ├── WeightsError               missing files, or a digest that does not hold
        ├── LoraError                  LoRA keys that match no layer
        └── GenerationError            a blank or non-finite picture
            ├── UndrawableError        a report of what the generator never learned to draw
            └── OutOfMemoryError       a batch that the device has no room for

Every message shows the value, what was expected, and the remedy; ``exit_code`` is what a command
line returns for it.
"""

from __future__ import annotations


class CoinError(Exception):
    """Base of every error that this project raises on purpose."""

    exit_code = 1

    def __init__(
        self,
        problem: str,
        *,
        value: object = None,
        expected: str | None = None,
        remedy: str | None = None,
    ) -> None:
        self.problem = problem
        self.value = value
        self.expected = expected
        self.remedy = remedy
        super().__init__(self._message())

    def _message(self) -> str:
        parts = [self.problem]
        if self.value is not None:
            parts.append(f"got {self.value!r}")
        if self.expected:
            parts.append(f"expected {self.expected}")
        if self.remedy:
            parts.append(f"remedy: {self.remedy}")
        return "; ".join(parts)


class InputError(CoinError, ValueError):
    """What the caller gave cannot be used as it is."""

    exit_code = 2


class ReportError(InputError):
    """An empty, enormous or non-text report."""


class ImageError(InputError):
    """An image that cannot be decoded, or that is too large to decode safely."""


class CaseTableError(InputError):
    """A manifest of cases with missing columns, bad rows or odd paths."""


class FilterError(InputError):
    """A filter on a field that the catalog does not have."""


class SettingsError(InputError):
    """A setting out of range, or a backend that does not exist."""


class CacheError(SettingsError):
    """The folder where prototypes are kept cannot be written, or is full."""


class NotFoundError(CoinError, LookupError):
    """An id or a path that names nothing."""

    exit_code = 2


class UnsupportedError(CoinError, TypeError):
    """The chosen backend lacks the power that was asked for."""

    exit_code = 2


class MissingDependencyError(CoinError, ImportError):
    """An optional package is not installed; the remedy names the extra."""

    exit_code = 2


class ArchiveError(CoinError, RuntimeError):
    """An archive that cannot be opened or changed."""

    exit_code = 2


class ArchiveCorruptError(ArchiveError):
    """A half-written archive, or a checksum that does not hold."""


class ArchiveSchemaError(ArchiveError):
    """An archive written by a newer program."""


class ArchiveBusyError(ArchiveError):
    """Another process is building this archive."""


class ArchiveServerError(ArchiveError):
    """A server that holds an archive's vectors, records or pictures is away, slow or full."""


class EncoderMismatchError(ArchiveError):
    """The archive was built with another encoder."""


class ReplayError(CoinError, RuntimeError):
    """What an earlier answer rested on has changed; ``value`` lists the changes."""

    exit_code = 2


class ServerError(CoinError, RuntimeError):
    """A server that cannot be reached, is busy, has a fault, or is no coin-serve."""


class ModelError(CoinError, RuntimeError):
    """Weights that cannot be used."""

    exit_code = 2


class WeightsError(ModelError):
    """Weights that are missing, or whose digest does not hold."""


class LoraError(ModelError):
    """A LoRA with keys that match no layer of the pipeline."""


class GenerationError(ModelError):
    """A picture that came out blank or with non-finite values."""


class OutOfMemoryError(GenerationError):
    """A batch of pictures that the device has no room for."""


class UndrawableError(GenerationError):
    """A report of what the generator never learned to draw: its text can still be searched."""
