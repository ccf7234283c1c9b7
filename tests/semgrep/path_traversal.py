import os
from pathlib import Path

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import FileResponse

router = APIRouter()
ROOT = Path("/srv/files")
FILES = {"terms": ROOT / "terms.pdf"}


@router.get("/files/{name}")
def download(name: str):
    # ruleid: request-chooses-path
    return FileResponse(ROOT / name)


@router.get("/text")
async def text(request: Request):
    # ruleid: request-chooses-path
    with open("/srv/files/" + request.query_params["name"]) as file:
        return file.read()


@router.get("/raw/{name}")
def raw(name: str, fallback: str = "x"):
    path = os.path.join("/srv/files", name)
    # ruleid: request-chooses-path
    os.remove(path)
    # ruleid: request-chooses-path
    return Path(fallback).read_bytes()


@router.get("/safe/{name}")
def safe(name: str):
    # ok: request-chooses-path
    return FileResponse(ROOT / os.path.basename(name))


@router.get("/known/{name}")
def known(name: str):
    # ok: request-chooses-path
    return FileResponse(FILES[name])


@router.get("/checked/{name}")
def checked(name: str):
    path = (ROOT / name).resolve()
    if not path.is_relative_to(ROOT):
        raise HTTPException(404)
    # ok: request-chooses-path
    return FileResponse(path)


@router.get("/page/{number}")
def page(number: int):
    # ok: request-chooses-path
    return FileResponse(ROOT / f"{number}.html")


def configured(name: str):
    # ok: request-chooses-path
    return open(name)
