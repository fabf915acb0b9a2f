from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from tiny_archives import build_archive, rewrite_vectors, write_pictures

from coin_retrieval import starter
from coin_retrieval.archive import Archive, ArchiveLayout, ArchiveManifest
from coin_retrieval.archive.locks import building
from coin_retrieval.archive.manifest import read_manifest, write_manifest
from coin_retrieval.archive.publish import next_version, publish, staging
from coin_retrieval.archive.schema import SCHEMA_VERSION
from coin_retrieval.archive.thumbnails import sweep_thumbnails
from coin_retrieval.archive.uris import to_path, to_uri
from coin_retrieval.archive.verify import verify
from coin_retrieval.config import OpenClipEncoderSettings
from coin_retrieval.errors import (
    ArchiveBusyError,
    ArchiveCorruptError,
    ArchiveSchemaError,
    EncoderMismatchError,
    NotFoundError,
    UnsupportedError,
)
from coin_retrieval.factory import open_archive
from coin_retrieval.types import Embeddings, ImageId, ImageIds


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "archive"
    build_archive(root, write_pictures(tmp_path / "pictures", 5))
    return root


@pytest.fixture
def segment(root: Path) -> Path:
    return root / "segments" / "000001-0"


@pytest.fixture
def version(root: Path) -> Path:
    return root / "versions" / "000001"


def _problems(root: Path, severity: str = "error") -> list[str]:
    with open_archive(root) as archive:
        return [f"{f.subject}: {f.problem}" for f in verify(archive) if f.severity == severity]


def _change_manifest(version: Path, **changes: object) -> None:
    file = version / "manifest.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


class TestOpening:
    def test_a_folder_without_an_archive_is_no_archive(self, tmp_path: Path) -> None:
        with pytest.raises(NotFoundError, match="coin-index build"):
            open_archive(tmp_path)

    def test_a_path_that_does_not_exist_is_no_archive(self, tmp_path: Path) -> None:
        with pytest.raises(NotFoundError):
            open_archive(tmp_path / "none")

    def test_an_archive_that_was_never_finished_says_how_to_resume(self, root: Path) -> None:
        (root / "CURRENT").unlink()
        with pytest.raises(ArchiveCorruptError, match="resumes"):
            open_archive(root)

    @pytest.mark.parametrize("pointer", ["", "latest", "../elsewhere", "\udcff"])
    def test_a_spoilt_pointer_is_refused(self, root: Path, pointer: str) -> None:
        (root / "CURRENT").write_bytes(os.fsencode(pointer))
        with pytest.raises(ArchiveCorruptError, match="does not name a version"):
            open_archive(root)

    def test_a_pointer_to_a_version_that_is_gone_is_refused(self, root: Path) -> None:
        (root / "CURRENT").write_text("000007\n")
        with pytest.raises(ArchiveCorruptError, match="gone"):
            open_archive(root)

    @pytest.mark.parametrize("name", ["vectors.faiss", "ids.npy", "catalog.sqlite", "lookups.npy"])
    def test_a_missing_file_is_refused(self, root: Path, segment: Path, name: str) -> None:
        (segment / name).unlink()
        with pytest.raises(ArchiveCorruptError, match=f"{name} is missing"):
            open_archive(root)

    def test_a_missing_list_is_refused(self, root: Path, version: Path) -> None:
        (version / "skipped.jsonl").unlink()
        with pytest.raises(ArchiveCorruptError, match=r"skipped\.jsonl is missing"):
            open_archive(root)

    @pytest.mark.parametrize("name", ["vectors.faiss", "ids.npy", "catalog.sqlite", "lookups.npy"])
    def test_a_cut_off_file_is_refused(self, root: Path, segment: Path, name: str) -> None:
        os.truncate(segment / name, 100)
        with pytest.raises(ArchiveCorruptError, match="not as it was published"):
            open_archive(root)

    def test_a_newer_schema_is_refused_even_where_nothing_else_is_understood(
        self, version: Path, root: Path
    ) -> None:
        newer = {"schema_version": SCHEMA_VERSION + 1, "new": True}
        (version / "manifest.json").write_text(json.dumps(newer))
        with pytest.raises(ArchiveSchemaError, match="update coin-retrieval"):
            open_archive(root)

    @pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"schema_version": 1}', "null"])
    def test_a_spoilt_manifest_is_refused(self, root: Path, version: Path, text: str) -> None:
        (version / "manifest.json").write_text(text)
        with pytest.raises(ArchiveCorruptError, match=r"manifest\.json"):
            open_archive(root)

    def test_counts_that_do_not_add_up_are_refused(self, root: Path, version: Path) -> None:
        counts = json.loads((version / "manifest.json").read_text())["counts"]
        _change_manifest(version, counts=counts | {"rows": 6})
        with pytest.raises(ArchiveCorruptError, match="rows must be"):
            open_archive(root)

    @pytest.mark.parametrize("part", ["store", "catalog"])
    def test_a_part_without_a_checksum_is_refused(
        self, root: Path, version: Path, part: str
    ) -> None:
        (own,) = json.loads((version / "manifest.json").read_text())["segments"]
        _change_manifest(version, segments=[own | {part: {"files": ["other.bin"]}}])
        with pytest.raises(ArchiveCorruptError, match=r"no checksum of other\.bin"):
            open_archive(root)

    def test_an_index_of_another_width_than_the_encoder_is_refused(
        self, root: Path, version: Path
    ) -> None:
        encoder = json.loads((version / "manifest.json").read_text())["encoder"]
        _change_manifest(version, encoder=encoder | {"dim": 65})
        with pytest.raises(ArchiveCorruptError, match="65-d"):
            open_archive(root)


class TestEncoder:
    def test_the_encoder_that_built_it_is_welcome(self, root: Path) -> None:
        with open_archive(root) as archive:
            archive.require_encoder(archive.manifest.encoder)

    @pytest.mark.parametrize("field", ["name", "revision", "preprocessing", "weights"])
    def test_an_encoder_that_differs_in_anything_is_refused(self, root: Path, field: str) -> None:
        with open_archive(root) as archive:
            other = replace(archive.manifest.encoder, **{field: "other"})
            with pytest.raises(EncoderMismatchError, match=field):
                archive.require_encoder(other)

    def test_the_embedded_encoder_has_no_path_in_the_file(
        self, version: Path, tmp_path: Path
    ) -> None:
        settings = OpenClipEncoderSettings(model=str(starter.ENCODER), text_tower="minilm")
        manifest = read_manifest(version / "manifest.json").model_copy(
            update={"encoder_settings": settings}
        )
        write_manifest(manifest, tmp_path / "manifest.json")
        assert str(starter.ENCODER) not in (tmp_path / "manifest.json").read_text()
        assert read_manifest(tmp_path / "manifest.json") == manifest


class TestPictures:
    def test_thumbnail_and_picture_of_an_image_are_found(self, root: Path) -> None:
        with open_archive(root) as archive:
            image = _any_image(archive)
            assert archive.thumbnail_path(image).is_file()
            assert archive.image_path(image).is_file()

    def test_a_picture_that_is_in_no_file_is_refused(self, root: Path) -> None:
        with open_archive(root) as archive:
            image = replace(_any_image(archive), uri="https://example.org/a.png")
            with pytest.raises(UnsupportedError, match="example"):
                archive.image_path(image)

    @pytest.mark.parametrize("name", ["a b.png", "ü%20#?.png", "\udcff.png", "plus+and&.png"])
    def test_any_file_name_survives_its_uri(self, tmp_path: Path, name: str) -> None:
        uri = to_uri(tmp_path / name)
        assert uri.isascii()
        assert to_path(uri) == tmp_path / name

    def test_a_way_up_is_resolved_in_a_uri(self, tmp_path: Path) -> None:
        assert to_path(to_uri(tmp_path / "x" / ".." / "a.png")) == tmp_path / "a.png"

    def test_sweeping_keeps_only_the_named_contents(self, root: Path) -> None:
        layout = ArchiveLayout(root)
        with open_archive(root) as archive:
            kept = _any_image(archive)
        partial = layout.thumbnail(kept.content_hash).with_suffix(".1-2.partial")
        partial.write_bytes(b"half")
        assert sweep_thumbnails(layout, lambda _: {kept.content_hash}) == 5
        assert [p.stem for p in layout.thumbnails.glob("*/*")] == [kept.content_hash]


class TestPublishing:
    def test_a_build_that_dies_while_writing_leaves_the_version_before(self, root: Path) -> None:
        layout = ArchiveLayout(root)

        def die_while_writing() -> None:
            with staging(layout, "000002") as staged:
                (staged / "manifest.json").write_text("half")
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            die_while_writing()
        assert [path.name for path in layout.versions.iterdir()] == ["000001"]
        assert _problems(root) == []

    def test_what_a_killed_build_left_in_staging_is_removed_by_the_next(self, root: Path) -> None:
        layout = ArchiveLayout(root)
        (layout.versions / ".staging-000002").mkdir()
        with staging(layout, "000003"):
            names = {path.name for path in layout.versions.iterdir()}
        assert names == {"000001", ".staging-000003"}

    def test_a_version_that_was_never_pointed_to_is_not_read_and_is_swept_away(
        self, root: Path, tmp_path: Path
    ) -> None:
        layout = ArchiveLayout(root)
        (layout.versions / "000002").mkdir()
        (layout.versions / "000002" / "half").touch()
        (layout.segments / "000002-0").mkdir()
        assert _problems(root) == []
        assert next_version(layout) == "000003"
        assert build_archive(root, tmp_path / "pictures").folder.name == "000002"
        assert not (layout.versions / "000002" / "half").exists()
        assert [path.name for path in layout.segments.iterdir()] == ["000001-0"]

    def test_a_reader_that_opened_the_version_before_reads_on(
        self, root: Path, tmp_path: Path
    ) -> None:
        with open_archive(root) as archive:
            write_pictures(tmp_path / "pictures", 9)
            build_archive(root, tmp_path / "pictures")
            assert len(archive.catalog.select({})) == 5
            assert archive.thumbnail_path(_any_image(archive)).is_file()
        with open_archive(root) as archive:
            assert len(archive.catalog.select({})) == 9

    def test_what_is_no_version_is_neither_counted_nor_removed(
        self, root: Path, tmp_path: Path
    ) -> None:
        layout = ArchiveLayout(root)
        (layout.versions / "kept by hand").mkdir()
        (layout.versions / "000009").write_text("a file, no version")
        assert next_version(layout) == "000002"
        for _ in range(2):
            build_archive(root, tmp_path / "pictures")
        names = sorted(path.name for path in layout.versions.iterdir())
        assert names == ["000001", "000002", "000003", "000009", "kept by hand"]

    def test_files_in_folders_of_a_version_are_flushed_too(
        self, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        layout = ArchiveLayout(root)
        flushed: list[Path] = []
        monkeypatch.setattr("coin_retrieval.archive.publish.flush_to_disk", flushed.append)
        with staging(layout, "000002") as staged:
            (staged / "vectors").mkdir()
            (staged / "vectors" / "0.bin").write_bytes(b"x")
            publish(layout, staged, "000002")
        assert {path.name for path in flushed} == {
            "vectors", "0.bin", ".staging-000002", "versions",
        }  # fmt: skip

    def test_the_pointer_changes_last(self, root: Path) -> None:
        layout = ArchiveLayout(root)
        with staging(layout, "000002") as staged:
            (staged / "file").write_text("x")
            assert layout.current_name() == "000001"
            folder = publish(layout, staged, "000002")
        assert layout.current_name() == "000002"
        assert (folder / "file").read_text() == "x"

    def test_a_second_builder_is_told_who_holds_the_archive(self, root: Path) -> None:
        layout = ArchiveLayout(root)
        with (
            building(layout),
            pytest.raises(ArchiveBusyError, match=f"process {os.getpid()}"),
            building(layout),
        ):
            pass
        with building(layout):
            pass


class TestVerification:
    def test_a_whole_archive_has_no_findings(self, root: Path) -> None:
        with open_archive(root) as archive:
            assert verify(archive) == []

    def test_a_vector_without_a_record_and_a_record_without_a_vector_are_found(
        self, root: Path
    ) -> None:
        def another(ids: ImageIds, rows: Embeddings) -> tuple[ImageIds, Embeddings]:
            ids[0] += 1
            return ids, rows

        rewrite_vectors(root, another)
        problems = _problems(root)
        assert any("1 vectors without a record" in problem for problem in problems)
        assert any("1 records without a vector" in problem for problem in problems)

    def test_vectors_in_another_order_than_their_records_are_found(self, root: Path) -> None:
        rewrite_vectors(root, lambda ids, rows: (ids[::-1].copy(), rows[::-1].copy()))
        assert _problems(root) == ["rows: vectors and records stand in another order"]

    @pytest.mark.parametrize("factor", [1.5, float("nan")])
    def test_a_vector_that_is_not_of_unit_length_is_found(self, root: Path, factor: float) -> None:
        def bent(ids: ImageIds, rows: Embeddings) -> tuple[ImageIds, Embeddings]:
            rows[0] *= factor
            return ids, rows

        rewrite_vectors(root, bent)
        assert _problems(root) == ["vectors: 1 rows are not of L2 norm 1"]

    def test_counts_that_are_not_the_catalogs_are_found(self, root: Path, version: Path) -> None:
        counts = json.loads((version / "manifest.json").read_text())["counts"]
        _change_manifest(version, counts=counts | {"cases": 4})
        assert _problems(root) == ["counts: 5 cases and 5 images, the manifest says 4 and 5"]

    def test_a_changed_byte_is_found(self, root: Path, segment: Path) -> None:
        data = bytearray((segment / "vectors.faiss").read_bytes())
        data[-1] ^= 1
        (segment / "vectors.faiss").write_bytes(data)
        assert "segments/000001-0/vectors.faiss: the checksum does not hold" in _problems(root)

    @pytest.mark.parametrize("spoil", ["zeros", "cut", "tail"])
    def test_a_spoilt_thumbnail_is_found_and_made_again_by_a_build(
        self, root: Path, tmp_path: Path, spoil: str
    ) -> None:
        thumbnail = next((root / "thumbnails").glob("*/*"))
        whole = thumbnail.read_bytes()
        half = len(whole) // 2
        thumbnail.write_bytes(
            {"zeros": bytes(len(whole)), "cut": whole[:half], "tail": whole[:half] + bytes(half)}[
                spoil
            ]
        )
        (problem,) = _problems(root)
        assert "missing or spoilt" in problem
        build_archive(root, tmp_path / "pictures")
        assert thumbnail.read_bytes() == whole

    def test_a_thumbnail_of_an_earlier_program_stays_until_it_is_spoilt(
        self, root: Path, tmp_path: Path
    ) -> None:
        thumbnail = next((root / "thumbnails").glob("*/*"))
        earlier = thumbnail.with_suffix(".webp")
        Image.open(thumbnail).save(earlier)
        whole = thumbnail.read_bytes()
        thumbnail.unlink()
        build_archive(root, tmp_path / "pictures")
        assert earlier.is_file()
        assert _problems(root) == []
        earlier.write_bytes(earlier.read_bytes()[:-20])
        build_archive(root, tmp_path / "pictures")
        assert not earlier.exists()
        assert thumbnail.read_bytes() == whole

    def test_a_missing_thumbnail_is_an_error(self, root: Path) -> None:
        next((root / "thumbnails").glob("*/*")).unlink()
        (problem,) = _problems(root)
        assert "thumbnail" in problem

    def test_a_source_that_is_gone_is_only_a_warning(self, root: Path, tmp_path: Path) -> None:
        (tmp_path / "pictures" / "cell_002.png").unlink()
        assert _problems(root) == []
        (problem,) = _problems(root, "warning")
        assert "cell_002.png" in problem


def _any_image(archive: Archive) -> object:
    image_id = ImageId(int(archive.catalog.select({})[0]))
    return archive.catalog.images([image_id])[image_id]


def test_a_manifest_read_back_is_the_same(version: Path, tmp_path: Path) -> None:
    manifest = read_manifest(version / "manifest.json")
    assert isinstance(manifest, ArchiveManifest)
    write_manifest(manifest, tmp_path / "again.json")
    assert read_manifest(tmp_path / "again.json") == manifest
    assert manifest.created_at.utcoffset() is not None
