"""The service's addresses: /translate, /health, /model, and / to try it in a browser."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import resources
from typing import Annotated, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError
from starlette.exceptions import HTTPException

from flows.serving.batcher import Batcher, OverloadedError
from flows.serving.config import ServeConfig
from flows.serving.guard import Guard
from flows.serving.in_service import How, InService, Translated
from flows.use import check_source
from pipeline.errors import InputError

POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
MOST_ECHOED = 100  # characters of what was sent that an answer shows


class Asked(BaseModel):
    """The body of a request for translations."""

    model_config = ConfigDict(extra="forbid")

    sentences: list[str] = Field(min_length=1, description="What to translate.")
    n_best: Annotated[int, Field(ge=1, le=32)] = Field(1, description="Translations of each sentence.")
    beam: Annotated[int, Field(ge=0, le=32)] = Field(0, description="Width of the search; 0: as configured.")
    attention: bool = Field(False, description="Whether to tell what each piece was written from.")

    @model_validator(mode="after")
    def _goes_together(self) -> "Asked":
        if self.attention and (self.n_best > 1 or self.beam):
            raise PydanticCustomError("together", "attention is told without n_best and beam")
        return self


def create_app(service: InService, config: ServeConfig, token: str | None) -> FastAPI:
    """The service as an ASGI application.

    Args:
        service: the model.
        config: how much is taken on.
        token: what users must show, None for nothing.
    """
    batcher: Batcher[How, Translated] = Batcher(
        service.translate, batch=config.batch, seconds=config.wait_ms / 1000, queue=config.queue
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(batcher.work())]
        if service.follows:
            tasks.append(asyncio.create_task(watch(service, config.watch_seconds)))
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    app = FastAPI(title="nightshift", docs_url=None, redoc_url=None, lifespan=lifespan)
    app.add_middleware(Guard, config=config, token=token)
    page = (resources.files("flows.serving") / "page.html").read_text(encoding="utf-8")

    @app.post("/translate")
    async def translate(asked: Asked) -> dict[str, Any]:
        """Translates some sentences."""
        sentences = checked(asked.sentences, config)
        for number, sentence in enumerate(sentences):
            check_source(number, sentence, service.served.exported.frame_size)  # or those of others would fail with it
        real = [sentence for sentence in sentences if sentence]
        how = How(asked.n_best, asked.beam, asked.attention)
        found = iter(await batcher.ask(how, real) if real else [])
        answers = [next(found) if sentence else None for sentence in sentences]
        numbers = {answer.version for answer in answers if answer}
        version = numbers.pop() if numbers else service.served.version.number
        translations = [shown(answer, asked) for answer in answers]
        return {"model": service.registry.name, "version": version, "translations": translations}

    @app.get("/health")
    async def health() -> dict[str, Any]:
        """Whether it serves, which version, and what keeps it from serving the one it should."""
        return {
            "status": "degraded" if service.problem else "ok",
            "model": service.registry.name,
            "version": service.served.version.number,
            "problem": service.problem or None,
        }

    @app.get("/model")
    async def model() -> dict[str, Any]:
        """What is served, how good it was when it was registered, and what may be sent."""
        version = service.served.version
        return {
            "model": version.model,
            "version": version.number,
            "follows": service.follows,
            "registered": version.created,
            "digest": version.digest,
            "metrics": version.metrics,
            "limits": config.model_dump(include={"batch", "characters", "body_bytes", "queue"}),
        }

    @app.get("/", include_in_schema=False)
    async def try_it() -> HTMLResponse:
        return HTMLResponse(page, headers={"Content-Security-Policy": POLICY})

    @app.exception_handler(RequestValidationError)
    async def unusable(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if part != "body")[:MOST_ECHOED]
        return JSONResponse({"error": f"{where}: {first['msg']}" if where else first["msg"]}, 422)

    @app.exception_handler(HTTPException)
    async def refused(_: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse({"error": error.detail}, error.status_code, error.headers)

    @app.exception_handler(InputError)
    async def impossible(_: Request, error: InputError) -> JSONResponse:
        return JSONResponse({"error": str(error)}, 422)  # such as attention of a model that has none

    @app.exception_handler(OverloadedError)
    async def overloaded(_: Request, __: OverloadedError) -> JSONResponse:
        message = f"{config.queue} sentences are waiting already: try again in a moment"
        return JSONResponse({"error": message}, 503, {"Retry-After": "1"})

    return app


async def watch(service: InService, seconds: float) -> None:
    """Follows the alias until it is cancelled; a new version is loaded in a thread beside the one that answers."""
    while True:
        await asyncio.sleep(seconds)
        await asyncio.to_thread(service.look)


def checked(sentences: list[str], config: ServeConfig) -> list[str]:
    """The sentences without white space around them; answers 422 where they are too many, too long or no text."""
    if len(sentences) > config.batch:
        raise HTTPException(422, f"sentences: {len(sentences)} of them, at most {config.batch} are taken at a time")
    for number, sentence in enumerate(sentences):
        if len(sentence) > config.characters:
            limit = f"at most {config.characters:,} are taken"
            raise HTTPException(422, f"sentences.{number}: {len(sentence):,} characters, {limit}")
        try:
            sentence.encode()
        except UnicodeEncodeError as error:
            raise HTTPException(422, f"sentences.{number}: half of a surrogate pair, which is no text") from error
    return [sentence.strip() for sentence in sentences]


def shown(answer: Translated | None, asked: Asked) -> dict[str, Any]:
    """One sentence's part of the answer; an empty sentence has an empty translation."""
    found = [{"text": one.text, "score": one.score} for one in answer.hypotheses] if answer else []
    told: dict[str, Any] = dict(found[0]) if found else {"text": "", "score": None}
    if asked.n_best > 1:
        told["n_best"] = found
    if answer and answer.attended:
        one = answer.attended
        weights = [[round(float(weight), 4) for weight in row] for row in one.attention]
        told["attention"] = {"source": one.source, "target": one.target, "weights": weights}
    return told
