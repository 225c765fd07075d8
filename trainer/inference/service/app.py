# SPDX-License-Identifier: MIT
"""The routes of the service: from the bytes of a request to what is answered."""

import asyncio
import functools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import resources
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response

from preprocessing.contract.pictures import image
from preprocessing.contract.pictures.image import ImageError, Pixels
from trainer.inference import films
from trainer.inference.service import guard, shown, tf_serving
from trainer.inference.service.desk import Desk
from trainer.inference.service.settings import RefusedError, Settings
from trainer.inference.service.tf_serving import Given, Row
from trainer.serving import names
from trainer.serving.served import Answering

_JSON = "application/json"
_MODEL = "/v1/models/cxr14"
_KINDS = {"html": "text/html", "js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
_NOWHERE = {404: "there is nothing at this address", 405: "use another method at this address"}
_ERROR = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
_REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"description": text, "content": {_JSON: {"schema": _ERROR}}}
    for status, text in {
        400: "This cannot be meant",
        403: "Not from this page or by this name",
        408: "The body is late",
        413: "Too large",
        429: "Busy: send it again",
        503: "The model is being loaded, or the service is stopping",
    }.items()
}


def _takes(kind: str, **schema: str) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {kind: {"schema": schema}}}}


_FILE = _takes("application/octet-stream", type="string", format="binary")


def create(model: Answering | None, settings: Settings | None = None) -> FastAPI:
    """Returns the service.

    Args:
        model: what answers. Without one everything but the page is answered by 503, until
            `app.state.desk.model` is set.
        settings: limits and routes.
    """
    settings = settings or Settings()
    desk = Desk(settings, model)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        desk.close()

    app = FastAPI(title="cxr14", docs_url=None, redoc_url=None, lifespan=lifespan)
    app.state.desk = desk
    for router in (_page(), _for_page(desk, settings), _for_servers(desk, settings)):
        app.include_router(router, responses=_REFUSALS)
    app.add_middleware(guard.Guard, settings=settings)

    for status, sentence in _NOWHERE.items():
        app.add_exception_handler(status, functools.partial(_nowhere, sentence))
    return app


async def _nowhere(sentence: str, _: Request, error: Any) -> Response:
    said = json.dumps({"error": sentence})
    return Response(said, error.status_code, error.headers, _JSON)


def _page() -> APIRouter:
    router = APIRouter(include_in_schema=False)
    folder = resources.files("trainer.inference.service") / "page"
    files = {}
    if folder.is_dir():
        files = {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}

    @router.get("/")
    async def page() -> Response:
        return await static("index.html")

    @router.get("/static/{name}")
    async def static(name: str) -> Response:
        kind = _KINDS.get(name.rpartition(".")[2])
        if name not in files or not kind:
            raise RefusedError(404, _NOWHERE[404])
        return Response(files[name], media_type=kind)

    return router


def _for_page(desk: Desk, settings: Settings) -> APIRouter:
    router = APIRouter(prefix="/api")

    @router.get("/model")
    async def model() -> Response:
        return _json(shown.model(desk.ready().facts))

    @router.post("/film", openapi_extra=_FILE)
    async def film(request: Request) -> Response:
        facts, body = desk.ready().facts, await request.body()

        def decoded() -> tuple[Pixels, dict[str, Any]]:
            found = _read(body, facts.stored_size)
            return found.pixels, shown.film(found)

        with desk.admitted(1, settings.max_films):
            try:
                square, picture = await desk.decoding(decoded)
            except ImageError as error:
                return _json({"usable": False, "reason": error.reason, "text": str(error)})
            [answer] = await desk.answers([square])
        return _json(picture | shown.answer(answer, facts))

    @router.post("/heat_maps", openapi_extra=_FILE)
    async def heat_maps(request: Request) -> Response:
        facts, body = desk.ready().facts, await request.body()

        def decoded() -> tuple[Pixels, tuple[int, int]]:
            found = _read(body, facts.stored_size)
            return found.pixels, found.original.pixels.shape

        with desk.admitted(1, settings.max_films):
            try:
                square, shape = await desk.decoding(decoded)
            except ImageError as error:
                raise RefusedError(400, f"this film cannot be used: {error}") from error
            maps = await desk.heat_maps(square)
            draw = functools.partial(shown.heat_map, facts=facts, shape=shape)
            drawn = await desk.decoding(lambda: list(map(draw, maps)))
        return _json({"maps": dict(zip(facts.findings, drawn, strict=True))})

    return router


def _for_servers(desk: Desk, settings: Settings) -> APIRouter:
    router = APIRouter()

    async def predict(request: Request) -> Response:
        facts, body = desk.ready().facts, await request.body()
        asked = await desk.decoding(lambda: tf_serving.read(body))
        explains = asked.signature == names.EXPLAIN
        most = settings.max_maps if explains else settings.max_films
        with desk.admitted(len(asked.films), most):
            decode = functools.partial(_square, size=facts.stored_size)
            works = [functools.partial(decode, given) for given in asked.films]
            squares = await asyncio.gather(*map(desk.decoding, works))
            usable = [square for square in squares if not isinstance(square, ImageError)]
            if explains:
                found = [Row(maps=await desk.heat_maps(square)) for square in usable]
            else:
                found = [Row(answer) for answer in await desk.answers(usable)]
            left = iter(found)
            rows = [
                Row(reason=square.reason) if isinstance(square, ImageError) else next(left)
                for square in squares
            ]
            said = await desk.decoding(lambda: tf_serving.answered(asked, rows, facts))
        return Response(said, media_type=_JSON)

    async def health() -> Response:
        desk.ready()
        if desk.stopping:
            raise RefusedError(503, "the service is stopping", later=True)
        fine = {"error_code": "OK", "error_message": ""}
        version = {"version": "1", "state": "AVAILABLE", "status": fine}
        return _json({"model_version_status": [version]})

    for path in dict.fromkeys((f"{_MODEL}:predict", settings.predict_route)):
        body = _takes(_JSON, type="object")
        router.add_api_route(path, predict, methods=["POST"], openapi_extra=body)
    for path in dict.fromkeys((_MODEL, settings.health_route)):
        router.add_api_route(path, health, methods=["GET"])
    return router


def _square(given: Given, size: int) -> Pixels | ImageError:
    try:
        if isinstance(given, bytes):
            return _read(given, size).pixels
        pixels = tf_serving.pixels(given)
        image.check_original(pixels)
        return image.resize(image.square(pixels), size)
    except ImageError as error:
        return error


def _read(encoded: bytes, size: int) -> films.Film:
    # The service is not told the file's name, in which a patient's might be.
    return films.read(encoded, "", stored_size=size)


def _json(said: object) -> Response:
    return Response(json.dumps(said, allow_nan=False), media_type=_JSON)
