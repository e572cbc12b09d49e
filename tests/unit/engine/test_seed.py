from __future__ import annotations

from cleanroom.engine.seed import fingerprint, serve
from cleanroom.errors import EngineError

IMAGE = {"Id": "sha256:1", "Created": "t", "RootFS": {"Layers": ["a", "b"]}, "Config": {"Cmd": ["x"]}}


class FakeSource:
    def __init__(self, images):
        self.images = images
        self.saved: tuple[str, ...] = ()

    def image(self, reference):
        return self.images.get(reference)

    def save_images(self, references):
        self.saved = references
        yield b"tar"


class FakeSink:
    def __init__(self, trouble=""):
        self.got = b""
        self.trouble = trouble

    def load(self, archive):
        if self.trouble:
            raise EngineError(self.trouble)
        self.got = b"".join(archive)


def test_only_what_is_missing_or_different_is_copied_in_one_stream():
    source, sink = FakeSource({"same": IMAGE, "new": IMAGE, "changed": IMAGE}), FakeSink()
    reply = serve({"same": fingerprint(IMAGE), "new": "", "changed": "old", "none": ""}, source, sink)
    assert reply.current == ("same",)
    assert reply.loaded == source.saved == ("changed", "new")
    assert reply.absent == ("none",)
    assert sink.got == b"tar"


def test_nothing_is_exported_where_nothing_is_missing():
    source, sink = FakeSource({"same": IMAGE}), FakeSink()
    assert serve({"same": fingerprint(IMAGE)}, source, sink).current == ("same",)
    assert source.saved == ()


def test_a_refusal_is_told_for_each_image():
    reply = serve({"a": ""}, FakeSource({"a": IMAGE}), FakeSink("no space"))
    assert reply.loaded == ()
    assert reply.failed == {"a": "no space"}


def test_without_an_outer_engine_everything_is_absent():
    assert serve({"a": "", "b": ""}, None, FakeSink()).absent == ("a", "b")


def test_the_fingerprint_is_of_the_content_and_not_of_the_id():
    assert fingerprint({**IMAGE, "Id": "sha256:2"}) == fingerprint(IMAGE)
    for change in ({"Created": "u"}, {"RootFS": {"Layers": ["a"]}}, {"Config": {"Cmd": ["y"]}}):
        assert fingerprint({**IMAGE, **change}) != fingerprint(IMAGE)
    assert fingerprint(None) == ""
