# SPDX-License-Identifier: MIT
"""The routes of the service: from the bytes of a request to what is answered."""

import asyncio
import dataclasses
import functools
import json
import pathlib
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles

from preprocessing.contract.pictures.image import ImageError, Pixels
from trainer.inference import films
from trainer.inference.service import guard, shown, tf_serving
from trainer.inference.service.desk import Desk
from trainer.inference.service.settings import RefusedError, Settings
from trainer.serving import names
from trainer.serving.served import Answering

_JSON = "application/json"
_MODEL = "/v1/models/cxr14"
_PAGE = pathlib.Path(__file__).with_name("page")
_REFUSALS: tuple[int | str, ...] = (400, 403, 408, 413, 429, 503)
_NOWHERE = {404: "there is nothing at this address", 405: "use another method at this address"}


@dataclasses.dataclass
class Refusal:
    """The body of every answer but 200: one sentence."""

    error: str


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

    app = FastAPI(title="cxr14", docs_url=None, redoc_url=None)
    app.state.desk = desk
    app.mount("/static", StaticFiles(directory=_PAGE))
    refusals = {status: {"model": Refusal} for status in _REFUSALS}
    for router in (_for_page(desk), _for_servers(desk, settings)):
        app.include_router(router, responses=refusals)
    app.add_middleware(guard.Guard, settings=settings)
    for status, sentence in _NOWHERE.items():
        app.add_exception_handler(status, functools.partial(_nowhere, sentence))
    return app


async def _nowhere(sentence: str, _: Request, error: Any) -> Response:
    said = json.dumps({"error": sentence})
    return Response(said, error.status_code, error.headers, _JSON)


def _for_page(desk: Desk) -> APIRouter:
    router = APIRouter()

    @router.get("/", include_in_schema=False)
    async def page() -> Response:
        return FileResponse(_PAGE / "index.html")

    async def opened(request: Request) -> tuple[Pixels, dict[str, Any]]:
        size, body = desk.ready().facts.stored_size, await request.body()

        def decoded() -> tuple[Pixels, dict[str, Any]]:
            # Without its name, which the service is not told: a patient's might be in it.
            found = films.read(body, "", stored_size=size)
            return found.pixels, shown.film(found)

        return await desk.decoding(decoded)

    @router.get("/api/model")
    async def model() -> Response:
        return _json(shown.model(desk.ready().facts))

    @router.post("/api/film", openapi_extra=_FILE)
    async def film(request: Request) -> Response:
        with desk.admitted(1):
            try:
                square, picture = await opened(request)
            except ImageError as error:
                return _json({"usable": False, "reason": error.reason, "text": str(error)})
            [answer] = await desk.answers([square])
        return _json(picture | shown.answer(answer, desk.ready().facts))

    @router.post("/api/heat_maps", openapi_extra=_FILE)
    async def heat_maps(request: Request) -> Response:
        with desk.admitted(1):
            try:
                square, picture = await opened(request)
            except ImageError as error:
                raise RefusedError(400, f"this film cannot be used: {error}") from error
            maps, facts = await desk.heat_maps(square), desk.ready().facts
            shape = (picture["height"], picture["width"])
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
        if len(asked.films) > most:
            raise RefusedError(413, f"send {most} films or fewer in one request")
        with desk.admitted(len(asked.films)):
            read = functools.partial(tf_serving.decoded, size=facts.stored_size)
            works = [functools.partial(read, film) for film in asked.films]
            rows = await asyncio.gather(*map(desk.decoding, works))
            if explains:
                for row in (row for row in rows if not row.reason):
                    row.maps = await desk.heat_maps(row.square)
            else:
                answers = await desk.answers([row.square for row in rows])
                for row, answer in zip(rows, answers, strict=True):
                    row.answer = answer
            said = await desk.decoding(lambda: tf_serving.answered(asked, rows, facts))
        return Response(said, media_type=_JSON)

    async def health() -> Response:
        desk.ready()
        if desk.stopping.is_set():
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


def _json(said: object) -> Response:
    return Response(json.dumps(said, allow_nan=False), media_type=_JSON)
