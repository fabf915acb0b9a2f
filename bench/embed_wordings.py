"""The known reports' vectors, which closeness is judged by: run whenever the wordings change.

python bench/embed_wordings.py      # about a minute; writes the starter's sentences.safetensors
"""

from __future__ import annotations

from coin_retrieval.encoding.sentences import SentenceEncoder
from coin_retrieval.starter import SENTENCES
from coin_retrieval.wordings.known import known_reports, write_sentences

if __name__ == "__main__":
    reports = known_reports()
    write_sentences(SentenceEncoder().embed([report.text for report in reports]))
    print(f"{len(reports):,} reports, {SENTENCES.stat().st_size / 1e6:.1f} MB in {SENTENCES}")
