"""Opening packed files: every kind, and every way one can be broken."""

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from fer_exp.data import archive
from fer_exp.errors import DataError

CONTENT = b"emotion,pixels\n" + b"0,1 2 3\n" * 500


def read_all(path: Path, **options: int) -> bytes:
    with archive.open_stream(path, **options) as stream:  # type: ignore[arg-type]
        return b"".join(iter(lambda: stream.read(1000), b""))


def tar_bytes(members: dict[str, bytes], mode: str = "w:gz") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:  # type: ignore[call-overload]
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def zip_bytes(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive_file:
        for name, data in members.items():
            archive_file.writestr(name, data)
    return buffer.getvalue()


PACKED = {
    "plain": CONTENT,
    "gzip": gzip.compress(CONTENT),
    "gzip of two members and zeros": gzip.compress(CONTENT[:700]) + gzip.compress(CONTENT[700:]) + b"\0" * 20,
    "zip": zip_bytes({"folder/": b"", "README": b"x", "folder/a.csv": CONTENT, "__MACOSX/folder/._a.csv": b"x"}),
    "tar": tar_bytes({"a.csv": CONTENT}, "w"),
    "tar.gz": tar_bytes({"fer2013/README": b"x", "fer2013/fer2013.csv": CONTENT, "fer2013/fer2013.bib": b"x"}),
}


@pytest.mark.parametrize("kind", PACKED)
def test_every_kind_is_told_by_its_bytes_and_not_by_its_name(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "file.bin"
    path.write_bytes(PACKED[kind])
    assert read_all(path) == CONTENT


@pytest.mark.parametrize("kind", PACKED)
def test_nothing_is_written_beside_the_archive(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "file.bin"
    path.write_bytes(PACKED[kind])
    read_all(path)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("pack", [zip_bytes, tar_bytes])
def test_several_csv_members_are_an_error_that_names_them(pack, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(pack({"train.csv": CONTENT, "icml_face_data.csv": CONTENT, "notes.txt": b""}))
    with pytest.raises(DataError, match=r"several \.csv files.*Found: train\.csv, icml_face_data\.csv\."):
        read_all(path)


@pytest.mark.parametrize("pack", [zip_bytes, tar_bytes])
def test_an_archive_without_a_csv_is_an_error_that_names_what_it_holds(pack, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(pack({"notes.txt": b"x"}))
    with pytest.raises(DataError, match=r"holds no \.csv files, expected exactly one\. Found: notes\.txt\."):
        read_all(path)


@pytest.mark.parametrize("pack", [zip_bytes, tar_bytes])
def test_an_archive_of_images_is_an_error_of_one_short_line(pack, tmp_path: Path) -> None:
    path = tmp_path / "archive.zip"
    path.write_bytes(pack({f"train/angry/Training_{number}.jpg": b"x" for number in range(1200)}))
    with pytest.raises(DataError) as caught:
        read_all(path)
    assert "Training_4.jpg ... (1,200 in all). Unpack the one you want and give its path." in str(caught.value)
    assert str(caught.value).endswith("If it is a folder of images, unpack it and give the folder.")
    assert "Training_5.jpg" not in str(caught.value)


def test_an_empty_zip_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(zip_bytes({}))
    with pytest.raises(DataError, match="Found: nothing"):
        read_all(path)


@pytest.mark.parametrize("kind", ["gzip", "zip", "tar", "tar.gz"])
@pytest.mark.parametrize("share", [0.2, 0.4])
def test_a_truncated_archive_is_an_error(kind: str, share: float, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(PACKED[kind][: int(len(PACKED[kind]) * share)])
    with pytest.raises(DataError, match=r"is truncated or damaged: .* Copy or download it again"):
        read_all(path)


@pytest.mark.parametrize("kind", ["gzip", "zip"])
def test_a_changed_byte_is_an_error(kind: str, tmp_path: Path) -> None:
    data = bytearray(PACKED[kind])
    data[data.find(b"a.csv") + 20 if kind == "zip" else 30] ^= 0xFF
    path = tmp_path / "file"
    path.write_bytes(data)
    with pytest.raises(DataError, match="is truncated or damaged"):
        read_all(path)


def test_an_encrypted_zip_is_an_error(tmp_path: Path) -> None:
    data = bytearray(zip_bytes({"a.csv": CONTENT}))
    data[6] |= 1  # the flag in the local header, and the one in the directory
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    path = tmp_path / "file"
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"a\.csv in it is encrypted"):
        read_all(path)


@pytest.mark.parametrize("kind", PACKED)
def test_what_unpacks_to_more_than_the_limit_is_refused(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(PACKED[kind])
    with pytest.raises(DataError, match=r"unpacks to more than 1,000 bytes.*refused"):
        read_all(path, limit_bytes=1000)


def test_a_bomb_is_refused_before_it_is_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(gzip.compress(b"0" * 10_000_000))
    with archive.open_stream(path, limit_bytes=5000) as stream:
        assert len(stream.read(4000)) == 4000
        with pytest.raises(DataError, match="unpacks to more than"):
            stream.read(4000)


def test_a_link_in_a_tar_is_never_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_bytes(CONTENT)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        link = tarfile.TarInfo("fer2013.csv")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path / "secret.csv")
        tar.addfile(link)
    path = tmp_path / "file"
    path.write_bytes(buffer.getvalue())
    with pytest.raises(DataError, match=r"holds no \.csv files"):
        read_all(path)


def test_a_file_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read: No such file"):
        read_all(tmp_path / "absent")
