"""Stability AI's, Black Forest Labs' and Replicate's pictures: what is asked, and what is read of the answers."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialects.listening import DATA, FILE
from dialects.openai_images.test_forms import parts
from headgate.core.errors import GatewayError, InvalidRequest, ProviderNonsense, ProviderRefused, Unsupported
from headgate.core.events import Native, Result, Stop, Used
from headgate.core.images import ImagesRequest, Picture
from headgate.dialects import bfl, openai_images, pictures, replicate, stability
from together import together

DIALECTS = [stability, bfl, replicate]
MODELS = {stability: "stable-image-ultra", bfl: "flux-2-pro", replicate: "black-forest-labs/flux-schnell"}
ADDRESS = "https://delivery.eu2.bfl.ai/results/5d/sample.jpeg?sig=a%2Fb"
STABILITY = {"image": "aGk=", "finish_reason": "SUCCESS", "seed": 343940597}
BFL = {
    "id": "5d", "status": "Ready", "progress": None, "details": None, "cost": 4.5, "input_mp": 0.0, "output_mp": 1.98,
    "result": {"sample": ADDRESS, "prompt": "A red hat", "seed": 42, "start_time": 1.0, "end_time": 3.5},
}  # fmt: skip
REPLICATE = {
    "id": "gm3qorzdhgbfurvjtvhg6dckhu", "model": "black-forest-labs/flux-schnell", "version": "dp-1", "error": None,
    "input": {"prompt": "A red hat"}, "logs": "", "status": "succeeded", "metrics": {"predict_time": 0.48},
    "output": ["https://replicate.delivery/xezq/a/out-0.webp", "https://replicate.delivery/xezq/a/out-1.webp"],
    "created_at": "2026-01-05T18:57:31.155Z", "urls": {"get": "https://api.replicate.com/v1/predictions/gm3q"},
}  # fmt: skip
REPLIES = [
    pytest.param(stability, STABILITY, [Picture(base64="aGk=")], id="stability"),
    pytest.param(bfl, BFL, [Picture(url=ADDRESS)], id="bfl"),
    pytest.param(replicate, REPLICATE, [Picture(url=each) for each in REPLICATE["output"]], id="replicate"),
]


def wished(host=None, **changes):
    """A request as a client of OpenAI's API makes it."""
    fields = {"dialect": "openai_images", "model": MODELS.get(host, "m"), "prompt": "A red hat"}
    return ImagesRequest(**fields | changes)


def edit(host, **changes):
    return wished(host, **{"dialect": "openai_image_edits", "kind": "edit", "images": [FILE], **changes})


def said(dialect, request, lost=None):
    return json.loads(dialect.write_request(request, [] if lost is None else lost).data)


def read(dialect, *pieces):
    reader = dialect.reader(False)
    return [event for piece in pieces for event in reader.feed(piece)] + reader.end()


# --- Stability AI


@pytest.mark.parametrize(
    ("model", "path", "named"),
    [
        ("core", "core", None),
        ("stable-image-core", "core", None),
        ("stable-image-ultra", "ultra", None),
        ("sd3", "sd3", "sd3.5-large"),
        ("sd3.5-medium", "sd3", "sd3.5-medium"),
    ],
)
async def test_stability_makes_pictures_of_words(model, path, named):
    lost = []
    body = stability.write_request(wished(model=model, size="1792x1024", format="webp", native={"seed": 7}), lost)
    assert body.path == f"/v2beta/stable-image/generate/{path}"
    told = dict(await parts(body))
    assert told.pop("model", None) == named
    assert told == {"prompt": "A red hat", "output_format": "webp", "aspect_ratio": "16:9", "seed": "7"}
    assert [(loss.path, "16:9" in loss.why) for loss in lost] == [("size", True)]


async def test_stability_makes_pictures_of_pictures():
    lost = []
    request = edit(None, model="sd3.5-large", size="1024x1024", native={"strength": "0.6", "partial_images": "1"})
    body = stability.write_request(request, lost)
    assert body.path == "/v2beta/stable-image/generate/sd3"
    assert dict(await parts(body)) == {
        "prompt": "A red hat", "mode": "image-to-image", "strength": "0.6", "model": "sd3.5-large",
        "image": DATA.decode(),
    }  # fmt: skip
    assert [loss.path for loss in lost] == ["partial_images", "size"]


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("search-and-replace", "edit/search-and-replace"),
        ("structure", "control/structure"),
        ("style", "control/style"),
        ("conservative", "upscale/conservative"),
    ],
)
async def test_stabilitys_services_for_pictures(model, path):
    body = stability.write_request(edit(None, model=model, size="1536x1024", native={"search_prompt": "hat"}), [])
    assert body.path == f"/v2beta/stable-image/{path}"
    told = dict(await parts(body))
    assert told["image"] == DATA.decode()
    assert told["search_prompt"] == "hat"
    assert told.get("aspect_ratio") == ("3:2" if model == "style" else None)
    with pytest.raises(Unsupported, match="/v1/images/edits"):
        stability.write_request(wished(model=model), [])


@pytest.mark.parametrize(
    ("request_", "param"),
    [
        (edit(None, model="core"), "image"),
        (edit(None, model="ultra"), "strength"),
        (edit(None, model="ultra", images=[FILE, FILE]), "image"),
        (wished(model="ultra", as_link=True), "response_format"),
        (wished(model="remove-background"), "model"),
    ],
)
def test_what_stability_does_not_do(request_, param):
    with pytest.raises(Unsupported) as caught:
        stability.write_request(request_, [])
    assert caught.value.param == param


def test_stabilitys_filter():
    with pytest.raises(ProviderRefused) as caught:
        read(stability, json.dumps({**STABILITY, "finish_reason": "CONTENT_FILTERED"}).encode())
    assert (caught.value.status, caught.value.vendor_code, caught.value.retryable) == (400, "moderation_blocked", False)
    refused = {"id": "a", "name": "content_moderation", "errors": ["Your request was flagged."]}
    error = stability.read_error(403, json.dumps(refused).encode())
    assert (error.status, error.vendor_code, error.message) == (400, "moderation_blocked", "Your request was flagged.")


# --- Black Forest Labs


def test_bfl_is_told_everything():
    lost = []
    native = {"seed": 42, "safety_tolerance": 2, "partial_images": 1, "webhook_url": "https://a.example"}
    request = wished(
        bfl, n=1, size="1920x1088", format="png", quality="high", background="opaque", user="u", native=native
    )
    order = bfl.write_request(request, lost)
    assert (order.path, order.content_type, order.as_data) == ("/v1/flux-2-pro", b"application/json", False)
    assert json.loads(order.data) == {
        "prompt": "A red hat", "width": 1920, "height": 1088, "output_format": "png", "seed": 42, "safety_tolerance": 2,
    }  # fmt: skip
    assert [loss.path for loss in lost] == ["quality", "background", "user", "partial_images", "webhook_url"]
    assert bfl.write_request(wished(bfl, as_link=False), []).as_data is True


def test_bfls_models_that_take_a_ratio():
    lost = []
    assert said(bfl, wished(model="flux-pro-1.1-ultra", size="1792x1024"), lost)["aspect_ratio"] == "7:4"
    assert [loss.path for loss in lost] == ["size"]
    assert "aspect_ratio" not in said(bfl, wished(model="flux-pro-1.1-ultra", size="auto"))


def test_bfl_begins_with_pictures():
    told = said(bfl, edit(bfl, images=[FILE, FILE]))
    assert told["input_image"] == told["input_image_2"] == "UklGRi4uLi5XQVZFZm10IA=="
    for request in (edit(bfl, images=[FILE] * 9), edit(None, model="flux-pro-1.1")):
        with pytest.raises(Unsupported) as caught:
            bfl.write_request(request, [])
        assert caught.value.param == "image"


@pytest.mark.parametrize("model", ["..", "a/../b", "", "a//b"])
def test_a_model_of_bfls_that_would_be_another_place(model):
    with pytest.raises(InvalidRequest):
        bfl.place(model)
    assert bfl.place("flux-tools/erase-v1?x=#y") == "/v1/flux-tools/erase-v1%3Fx%3D%23y"


@pytest.mark.parametrize(
    ("fields", "status", "code", "message"),
    [
        ({"status": "Request Moderated", "details": {"Moderation Reasons": ["Violence"]}}, 400, "moderation_blocked",
         "Black Forest Labs: Request Moderated (Violence)"),
        ({"status": "Content Moderated", "details": {"a": "b", "c": 1}}, 400, "moderation_blocked",
         "Black Forest Labs: Content Moderated (b)"),
        ({"status": "Error"}, 502, None, "Black Forest Labs: Error"),
        ({"status": "Task not found"}, 502, None, "Black Forest Labs: Task not found"),
    ],
)  # fmt: skip
def test_tasks_of_bfls_that_fail(fields, status, code, message):
    with pytest.raises(ProviderRefused) as caught:
        read(bfl, json.dumps(fields).encode())
    assert (caught.value.status, caught.value.vendor_code, caught.value.message) == (status, code, message)


def test_what_bfl_counts_is_kept():
    [used] = [event.usage for event in read(bfl, json.dumps(BFL).encode()) if isinstance(event, Used)]
    assert used.reported == {"cost": 4.5, "input_mp": 0.0, "output_mp": 1.98}


# --- Replicate


def test_replicate_is_told_everything():
    lost = []
    order = replicate.write_request(
        wished(replicate, n=1, size="1536x1024", format="jpeg", user="u", native={"num_outputs": 2}), lost
    )
    assert (order.path, order.as_data) == ("/v1/models/black-forest-labs/flux-schnell/predictions", False)
    assert json.loads(order.data) == {
        "input": {"prompt": "A red hat", "aspect_ratio": "3:2", "output_format": "jpg", "num_outputs": 2}
    }
    assert [loss.path for loss in lost] == ["user", "size"]
    told = said(replicate, wished(replicate, size="1536x1024", native={"aspect_ratio": "21:9"}))
    assert told["input"]["aspect_ratio"] == "21:9"


VERSION = "7762fd07cf82c948538e41f63f77d685e02b063e37e496e96eefd46c929f9bdc"


@pytest.mark.parametrize(
    ("model", "path", "version"),
    [
        ("stability-ai/sdxl", "/v1/models/stability-ai/sdxl/predictions", None),
        (f"stability-ai/sdxl:{VERSION}", "/v1/predictions", VERSION),
        (VERSION, "/v1/predictions", VERSION),
        ("deployments/acme/painter", "/v1/deployments/acme/painter/predictions", None),
    ],
)
def test_where_replicates_models_are(model, path, version):
    assert replicate.place(model) == (path, version)
    told = said(replicate, wished(model=model, size="1024x768"))
    assert told.get("version") == version
    size = told["input"].get("aspect_ratio") or (told["input"]["width"], told["input"]["height"])
    assert size == ("4:3" if version is None else (1024, 768))


@pytest.mark.parametrize("model", ["sdxl", "a/..", "../b", "a/b/c", "a/b?c=d", "a/b:", ""])
def test_a_model_of_replicates_that_would_be_another_place(model):
    with pytest.raises(InvalidRequest) as caught:
        replicate.place(model)
    assert caught.value.param == "model"


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"status": "failed", "error": "CUDA out of memory"}, 502, None),
        ({"status": "failed", "error": "NSFW content detected. Try a different prompt."}, 400, "moderation_blocked"),
        ({"status": "canceled", "error": None}, 502, None),
        ({"status": "aborted"}, 502, None),
    ],
)
def test_predictions_that_fail(fields, status, code):
    with pytest.raises(ProviderRefused) as caught:
        read(replicate, json.dumps(fields).encode())
    assert (caught.value.status, caught.value.vendor_code) == (status, code)
    assert caught.value.message == (fields.get("error") or f"the prediction is {fields['status']}")


def test_replicates_models_differ_in_how_they_take_pictures():
    with pytest.raises(Unsupported, match="input_image") as caught:
        replicate.write_request(edit(replicate), [])
    assert caught.value.param == "image"


@pytest.mark.parametrize("output", [None, {}, [], [1], "ftp://a/b", ["https://a.example/b", None], 3])
def test_output_that_is_no_picture(output):
    with pytest.raises(ProviderNonsense):
        read(replicate, json.dumps({**REPLICATE, "output": output}).encode())


# --- all of them


@together("dialect", DIALECTS)
@together(
    ("changes", "param"),
    [
        ({"n": 2}, "n"),
        ({"kind": "variation", "images": [FILE]}, None),
        ({"kind": "edit", "images": [FILE], "mask": FILE}, "mask"),
        ({"size": "large"}, "size"),
        ({"size": "0x5"}, "size"),
    ],
)
def test_what_none_can(dialect, changes, param):
    with pytest.raises(InvalidRequest) as caught:
        dialect.write_request(wished(dialect, **changes), [])
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("size", "nearest"),
    [("1024x1024", "1:1"), ("1792x1024", "16:9"), ("1024x1792", "9:16"), ("1024x1536", "2:3"), ("16:9", "16:9")],
)
def test_the_nearest_ratio(size, nearest):
    lost = []
    assert pictures.ratio(wished(size=size), "It", lost, stability.RATIOS) == nearest
    assert [loss.path for loss in lost] == ([] if size == nearest else ["size"])


@pytest.mark.parametrize(("dialect", "reply", "painted"), REPLIES)
def test_what_was_painted(dialect, reply, painted):
    events = read(dialect, json.dumps(reply).encode())
    assert events[-1] == Stop(reason="stop")
    [value] = [event.value for event in events if isinstance(event, Result)]
    assert value.pictures == painted
    [used] = [event.usage for event in events if isinstance(event, Used)]
    assert used.units == {"images": float(len(painted))}
    assert {event.name for event in events if isinstance(event, Native)} <= {"seed"}


@pytest.mark.parametrize(("dialect", "reply", "painted"), REPLIES)
def test_it_reaches_clients_of_openais_api(dialect, reply, painted):
    lost = []
    writer = openai_images.writer(False, {}, lost)
    whole = json.loads(writer.feed(read(dialect, json.dumps(reply).encode())) + writer.end())
    assert [item.get("b64_json") or item["url"] for item in whole["data"]] == [one.base64 or one.url for one in painted]
    assert [loss.path for loss in lost] == ([] if dialect is replicate else ["reply.seed"])


def test_a_data_url_is_a_picture():
    fields = {**BFL, "result": {"sample": "data:image/png;base64,aGk="}}
    [value] = [event.value for event in read(bfl, json.dumps(fields).encode()) if isinstance(event, Result)]
    assert value.pictures == [Picture(base64="aGk=")]
    for odd in ("data:image/png;base64,a?", "data:image/png,abc", "javascript:x"):
        with pytest.raises(ProviderNonsense):
            read(bfl, json.dumps({**BFL, "result": {"sample": odd}}).encode())


@pytest.mark.parametrize(("dialect", "reply", "painted"), REPLIES)
@given(data=st.data())
def test_any_split_gives_the_same_and_a_part_nothing(dialect, reply, painted, data):
    body = json.dumps(reply).encode()
    at = data.draw(st.integers(0, len(body) - 1))
    assert read(dialect, body[:at], body[at:]) == read(dialect, body)
    with pytest.raises(ProviderNonsense):
        read(dialect, body[:at])


@pytest.mark.parametrize("dialect", DIALECTS)
@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda each: st.lists(each, max_size=3) | st.dictionaries(st.sampled_from(["sample", "a"]), each, max_size=2),
        max_leaves=5,
    )
)
def test_nonsense_raises_nothing_else(dialect, value):
    for fields in ({"status": value, "image": value}, {"status": "Ready", "result": value, "details": value}):
        with pytest.raises(GatewayError):
            read(dialect, json.dumps({**fields, "finish_reason": value, "error": value}).encode())


@pytest.mark.parametrize(
    ("dialect", "body", "message", "kind"),
    [
        (stability, {"id": "a", "name": "bad_request", "errors": ["prompt: required", "seed: too large"]},
         "prompt: required; seed: too large", "bad_request"),
        (stability, {"id": "a", "name": "unauthorized", "errors": []}, "unauthorized", "unauthorized"),
        (stability, {"message": "odd"}, "odd", None),
        (bfl, {"detail": "Insufficient credits"}, "Insufficient credits", None),
        (bfl, {"detail": [{"loc": ["body", "width"], "msg": "must be a multiple of 16", "type": "value_error"}]},
         "body.width: must be a multiple of 16", None),
        (replicate, {"title": "Unauthenticated", "detail": "You did not pass an authentication token", "status": 401},
         "You did not pass an authentication token", None),
    ],
)  # fmt: skip
def test_errors(dialect, body, message, kind):
    error = dialect.read_error(401, json.dumps(body).encode())
    assert (error.status, error.kind, error.message) == (401, kind, message)
    assert dialect.read_error(502, b"<html>").status == 502


@pytest.mark.parametrize("dialect", DIALECTS)
def test_clients_do_not_speak_it(dialect):
    assert dialect.paths == ()
    for call in (
        lambda: dialect.writer(False, {}, []),
        lambda: dialect.relay(False, {}),
        lambda: dialect.read_request({"model": "m"}),
    ):
        with pytest.raises(Unsupported):
            call()
