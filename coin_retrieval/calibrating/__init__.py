"""Which way of searching is best on an archive, measured on labelled reports and kept."""

from coin_retrieval.calibrating.calibration import calibrate

__all__ = ["calibrate"]
