import urllib.request

import httpx
import requests
from fastapi import APIRouter, Depends, Request

router = APIRouter()
HOSTS = {"a": "https://a.example.com/"}


@router.get("/fetch")
def fetch(url: str):
    # ruleid: request-chooses-address
    return httpx.get(url, timeout=5).text


@router.get("/preview")
async def preview(request: Request):
    address = request.query_params["address"]
    async with httpx.AsyncClient() as client:
        # ruleid: request-chooses-address
        await client.get(address)
    # ruleid: request-chooses-address
    urllib.request.urlopen(address)


@router.get("/hook")
def hook(target: str, kind: str = "a"):
    # ruleid: request-chooses-address
    requests.post(f"https://{target}/hook", timeout=5)
    # ruleid: request-chooses-address
    requests.request("GET", "https://example.com" + target, timeout=5)
    # ok: request-chooses-address
    requests.post(f"https://hooks.example.com/{kind}", timeout=5)
    # ok: request-chooses-address
    requests.post("https://hooks.example.com/" + kind, timeout=5)
    # ok: request-chooses-address
    requests.get(HOSTS[kind], timeout=5)


@router.get("/number/{number}")
def number(number: int, fetcher=Depends(get_fetcher)):
    # ok: request-chooses-address
    return httpx.get(f"{BASE}/{number}")


@router.get("/row/{key}")
def row(key: str, session: Session = Depends(get_session)):
    # ok: request-chooses-address
    return session.get(Row, key)


def configured(url):
    # ok: request-chooses-address
    return httpx.get(url, timeout=5)
